"""Marking a segment while a recording plays."""

from collections.abc import Iterator

import numpy as np
import pytest

from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.relabeling.ghost import RecordedGhost
from robot_learning.relabeling.segment_marking import SegmentMarking
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopDevice, TeleopInput

START, HOLD, FAILURE = OperatorEvent.START, OperatorEvent.HOLD, OperatorEvent.FAILURE


class TimedKeys(TeleopDevice):
    """Presses keys at certain polls, counted from 0."""

    def __init__(self, keys: dict[int, OperatorEvent]) -> None:
        self.keys, self.polls = keys, 0
        self.shown: list[float] = []
        self.told: list[OperatorEvent] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def describe(self) -> str:
        return "keys"

    def handle(self, event: OperatorEvent) -> None:
        self.told.append(event)

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        assert context.observation is not None
        self.shown.append(float(context.observation.joint_position[0]))
        events = [self.keys[self.polls]] if self.polls in self.keys else []
        self.polls += 1
        return TeleopInput(now_ns, False, events=tuple(events))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedRows]:
    path = tmp_path_factory.mktemp("marking") / "reach"
    record_demonstrations(DemonstrationConfig("reach", episodes=1, noise=0.01), path)
    folder = DatasetFolder(path)
    with Episode(folder.episodes_path / folder.episode_names()[0]) as episode:
        yield RecordedRows(episode)


def marked(rows: RecordedRows, keys: dict[int, OperatorEvent]) -> tuple[SegmentMarking, TimedKeys]:
    device = TimedKeys(keys)
    marking = SegmentMarking(RecordedGhost(rows), device)
    while not marking.done:
        marking.poll(device.polls)
        assert device.polls < 500
    return marking, device


def test_the_rows_between_two_presses(rows: RecordedRows) -> None:
    marking, device = marked(rows, {5: START, 9: START})
    assert np.flatnonzero(marking.chosen).tolist() == [5, 6, 7, 8]
    np.testing.assert_array_equal(device.shown, rows.array("joint_position")[:10, 0])
    # Whatever was held while watching does not drive the ghost afterwards.
    assert device.told == [HOLD]


def test_it_stands_still_plays_again_and_ends_with_the_recording(rows: RecordedRows) -> None:
    count = len(rows)
    # Still at row 3 for four polls: the first key after them is pressed at row 5.
    marking, _ = marked(rows, {3: HOLD, 7: HOLD, 9: START})
    assert (marking.first, marking.end) == (5, count)
    # A mark that was taken back, and one in the second showing.
    marking, _ = marked(rows, {2: START, 4: FAILURE, count + 6: START, count + 8: START})
    assert (marking.first, marking.end) == (6, 8)


def test_a_segment_of_no_rows_is_none(rows: RecordedRows) -> None:
    marking, _ = marked(rows, {0: HOLD, 1: START, 2: START, 3: HOLD, 6: START})
    assert (marking.first, marking.end) == (0, 3)


def test_giving_up_chooses_nothing(rows: RecordedRows) -> None:
    marking, _ = marked(rows, {5: START, 7: OperatorEvent.DISCARD})
    assert marking.discarded and not marking.chosen.any()
