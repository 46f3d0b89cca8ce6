"""Episodes of bad timing are no labels: what is trained on, what is said, when a run ends."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.attributes import get_object, set_text
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.quality import QualityThresholds, judge
from robot_learning.episodes.store.changes import keep_by_hand
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import rewrite_episode
from robot_learning.learning.interactive.dart_rounds import demonstrations as demonstrations_of
from robot_learning.learning.interactive.dart_run import DartRun, DartSettings
from robot_learning.learning.interactive.overload import OverloadWatch
from robot_learning.learning.interactive.rounds import EpisodeFigures, Round
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.training.bad_timing import without_bad_timing
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.preparation import split
from robot_learning.learning.training.run_folder import episode_mark
from robot_learning.learning.training.trainer import train
from robot_learning.policies.checkpoint import load_checkpoint

Make = Callable[..., TrainConfig]
SLOW = ("episode_000001.hdf5", "episode_000004.hdf5")
REASON = "decision ran at 12.3 Hz instead of 50 Hz"


def slow_down(folder: DatasetFolder, name: str) -> None:
    """Let the quality report say that decisions came at a quarter of their rate."""

    def edit(file: h5py.File) -> None:
        report = get_object(file, "quality")
        report["streams"]["decision"]["rate_hz"] = 12.3
        set_text(file, "quality", json.dumps(judge(report, QualityThresholds())))

    with folder.lock():
        rewrite_episode(folder, name, edit)


@pytest.fixture
def slow(own_demonstrations: Path) -> Path:
    """Six demonstrations, two of which have a bad timing."""
    folder = DatasetFolder(own_demonstrations)
    for name in SLOW:
        slow_down(folder, name)
    return own_demonstrations


def names(dataset: Dataset) -> list[str]:
    return [summary.name for summary in dataset.episodes]


def test_they_are_left_out_and_a_line_says_which_why_and_how_they_are_kept(
    slow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        chosen = without_bad_timing(Dataset(slow))
    assert names(chosen) == [f"episode_00000{number}.hdf5" for number in (0, 2, 3, 5)]
    assert caplog.messages == [
        f"2 of 6 episodes are left out, as their timing is bad: {SLOW[0]} ({REASON}), {SLOW[1]} "
        f"({REASON}). `robot-learning dataset keep {slow} 1 4` keeps them; "
        "data.keep_bad_timing=true keeps all"
    ]


def test_nothing_is_said_where_nothing_is_left_out(
    demonstrations: Dataset, slow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert without_bad_timing(demonstrations) is demonstrations
    assert len(without_bad_timing(Dataset(slow), keep=True)) == 6
    assert caplog.messages == []


def test_a_training_uses_those_that_are_kept_by_hand_or_all_if_it_is_asked_to(
    slow: Path, make_config: Make
) -> None:
    none_apart = {"validation_share": 0.0}
    folder = DatasetFolder(slow)
    with folder.lock():
        keep_by_hand(folder, SLOW[0])
    training, _ = split(Dataset(slow), make_config(data=none_apart))
    assert names(training) == [f"episode_00000{number}.hdf5" for number in (0, 1, 2, 3, 5)]
    training, _ = split(Dataset(slow), make_config(data={**none_apart, "keep_bad_timing": True}))
    assert len(training) == 6


def test_a_checkpoint_was_not_trained_on_them(
    slow: Path, make_config: Make, tmp_path: Path
) -> None:
    result = train(Dataset(slow), make_config(data={"validation_share": 0.0}), tmp_path / "run")
    trained_on = load_checkpoint(result.checkpoint).details.training["trained_on"]
    marks = {summary.name: episode_mark(summary) for summary in Dataset(slow).episodes}
    assert {name for name, mark in marks.items() if mark not in trained_on} == set(SLOW)


def test_they_are_no_demonstrations_of_a_round_of_dart(slow: Path) -> None:
    def found(**data: bool) -> int:
        training = TrainConfig().with_values({"data": data}).to_plain()
        settings = DartSettings("reach", "desk_arm", str(slow), training, "keyboard", alpha=1.0)
        return len(demonstrations_of(DartRun(settings)))

    assert found() == 4
    assert found(keep_bad_timing=True) == 6


def test_a_dataset_of_bad_timing_alone_says_so(slow: Path, make_config: Make) -> None:
    dataset = Dataset(slow).select(names=SLOW)
    with pytest.raises(DatasetError, match="no episode is left: 2 of 2 episodes are left out"):
        split(dataset, make_config())


def figures(number: int, *reasons: str) -> EpisodeFigures:
    return EpisodeFigures(f"episode_00000{number}.hdf5", 9, "success", 0, 0, 9, False, reasons)


class Collecting:
    """A round that gets one episode after the other."""

    def __init__(self) -> None:
        self.round = Round(1, Phase.COLLECTING)
        self.watch = OverloadWatch()

    def add(self, *reasons: str) -> list[str]:
        added = figures(len(self.round.episodes), *reasons)
        before, self.round = (
            self.round,
            Round(1, Phase.COLLECTING, episodes=(*self.round.episodes, added)),
        )
        told = self.watch.look(before, self.round, "data/lift")
        self.watch.check("robot-learning dagger --resume out:=runs/lift")
        return told


def test_each_one_is_told_once_in_a_line() -> None:
    collecting = Collecting()
    assert collecting.add() == []
    assert collecting.add("a is slow", "b has gaps") == [
        "episode_000001.hdf5 is left out, as its timing is bad: a is slow; b has gaps. It does not "
        "count and is not trained on; to keep it, once the run has ended: robot-learning dataset "
        "keep data/lift 1"
    ]
    assert collecting.watch.look(collecting.round, collecting.round, "data/lift") == []


def test_three_in_a_row_end_the_run_with_what_was_slow_what_helps_and_how_it_goes_on() -> None:
    collecting = Collecting()
    collecting.add("a is slow")
    collecting.add("a is slow")
    collecting.add()
    collecting.add("a is slow")
    collecting.add("a is slow")
    with pytest.raises(RobotLearningError) as caught:
        collecting.add("front ran at 9.1 Hz instead of 30 Hz", "joints has 9 gaps")
    text = str(caught.value)
    assert text.startswith("3 episodes in a row are left out, as their timing is bad")
    assert "front ran at 9.1 Hz instead of 30 Hz; joints has 9 gaps" in text
    for advice in ("close other programs", "lower rate", "fewer or smaller cameras", "lockstep"):
        assert advice in text
    assert text.endswith("continue with: robot-learning dagger --resume out:=runs/lift")


def test_a_run_that_goes_on_starts_to_count_anew() -> None:
    collecting = Collecting()
    collecting.add("a is slow")
    collecting.add("a is slow")
    collecting.watch = OverloadWatch()
    assert collecting.watch.look(collecting.round, collecting.round, "data/lift") == []
    collecting.add("a is slow")
