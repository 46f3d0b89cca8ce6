"""`robot-learning relabel --device`: a person or the scripted operator labels with a ghost arm."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.relabeling.choice import (
    SCRIPTED,
    WITHOUT_KEYS,
    DeviceChoice,
    driver_of,
    has_panel,
    keys_of,
)
from robot_learning.relabeling.display import RelabelDisplay
from robot_learning.relabeling.ghost import Ghost
from robot_learning.relabeling.ghost_scene import (
    about,
    drawn_world,
    kinematics,
    make_ghost,
    refuse_other_joints,
)
from robot_learning.relabeling.journal import RelabelJournal, unfinished
from robot_learning.relabeling.journaled_session import cut_off, keep, new_journal, rows_of
from robot_learning.relabeling.keys import labelling_text, marking_text
from robot_learning.relabeling.scripted import scripted_device, walk_as_scripted
from robot_learning.relabeling.segment_marking import SegmentMarking
from robot_learning.relabeling.session import Method, RelabelSession
from robot_learning.teleop.device import TeleopDevice
from robot_learning.teleop.devices import make_device
from robot_learning.teleop.teleop_controller import TeleopController

_GOES_ON = "what was labelled so far is kept: the same command continues from there"


def relabel_by_device(folder: DatasetFolder, names: Sequence[str], chosen: DeviceChoice) -> int:
    """Label episodes one after the other; returns how many rows have a new label.

    Interrupted episodes come first. An interruption keeps what is labelled and ends the session.

    Args:
        folder: dataset of the episodes.
        names: file names of the episodes.
        chosen: how the person labels.

    Raises:
        RobotLearningError: see `_relabel`.
    """
    labelled = 0
    for name in sorted(names, key=lambda name: not unfinished(folder.path, name)):
        count, interrupted = _relabel(folder, name, chosen)
        labelled += count
        if interrupted:
            break
    return labelled


def _relabel(folder: DatasetFolder, name: str, chosen: DeviceChoice) -> tuple[int, bool]:
    """Label one episode and add the layer; returns its rows, and whether it was interrupted.

    Each label is in the journal at once; an interrupted labelling session is continued.

    Raises:
        RobotLearningError: the episode, the robot or the device is not fit for it; the episode
            is unchanged, and what was labelled is in the journal.
    """
    with Episode(folder.episodes_path / name) as episode:
        journal = cut_off(folder, episode, chosen)
        sat = _sit(folder, episode, chosen, journal)
    if sat is None:
        print("no segment was marked: the episode is as it was")
        return 0, False
    try:
        return keep(folder, *sat, was_cut_off=journal is not None), sat[0].interrupted
    except RobotLearningError:
        print(_GOES_ON)
        raise


def _sit(
    folder: DatasetFolder, episode: Episode, chosen: DeviceChoice, cut_off: RelabelJournal | None
) -> tuple[RelabelSession, RelabelJournal] | None:
    """Label from the start, or from the point of interruption, to the end; None if none began."""
    with ExitStack() as stack:
        profile = load_profile(episode.info.robot)
        refuse_other_joints(episode, profile)
        rows = RecordedRows(episode, images=chosen.picture is not None)
        ghost = stack.enter_context(make_ghost(rows, profile))
        print(about(ghost))
        device = stack.enter_context(_device(chosen, episode, profile))
        world = drawn_world(ghost, profile)
        display = stack.enter_context(
            RelabelDisplay(ghost, device, world, window=chosen.window, picture=chosen.picture)
        )
        rows_chosen = rows_of(cut_off) if cut_off else _chosen_rows(ghost, device, chosen, display)
        if rows_chosen is None:
            return None
        if unseen := int((rows_chosen & ~rows.visible).sum()):
            has, have = "has no complete observation and is", "have no complete observation and are"
            print(
                amount(unseen, f"of the chosen rows {has}", f"of the chosen rows {have}"),
                "left out",
            )
        session = _session(ghost, device, profile, rows_chosen, chosen)
        if cut_off:
            _go_on(session, cut_off)
        journal = cut_off or new_journal(folder, episode, chosen, rows_chosen)
        stack.callback(journal.close)
        journal.begin(chosen.device)
        session.record = journal.add
        try:
            _walk(session, chosen, display)
        except KeyboardInterrupt:
            session.interrupted = True
            print("\ninterrupted: what is labelled is kept")
        except (RobotLearningError, OSError):
            print(f"\n{_GOES_ON}")
            raise
        return session, journal


def _session(
    ghost: Ghost,
    device: TeleopDevice,
    profile: RobotProfile,
    rows: npt.NDArray[np.bool_],
    chosen: DeviceChoice,
) -> RelabelSession:

    controller = TeleopController(profile, kinematics(profile))
    rate_hz = ghost.rows.episode.info.rate_hz
    return RelabelSession(ghost, device, controller, rows, Method(chosen.method), rate_hz)


def _go_on(session: RelabelSession, journal: RelabelJournal) -> None:
    """Bring a session to the point where it was interrupted, and say so."""
    session.replay(journal.entries)
    following = "none is left" if session.done else f"row {session.row} is next"
    print(
        f"{Path(journal.header.episode).stem}: continues an interrupted labelling session: "
        f"{amount(session.labelled, 'row')} labelled, {following} (--restart begins again)"
    )


@contextmanager
def _device(
    chosen: DeviceChoice, episode: Episode, profile: RobotProfile
) -> Iterator[TeleopDevice]:
    if chosen.device == SCRIPTED:
        device = scripted_device(chosen.method, episode, profile)
    else:
        panel = "keyboard" if has_panel(chosen) else "none"
        if chosen.device in WITHOUT_KEYS and panel == "none":
            print("no keyboard here (no display): Ctrl-C keeps the labels, nothing takes one back")
        device = make_device(driver_of(chosen), profile, chosen.map_name, panel)
    with device:
        yield device


def _chosen_rows(
    ghost: Ghost, device: TeleopDevice, chosen: DeviceChoice, display: RelabelDisplay
) -> npt.NDArray[np.bool_] | None:
    """(T,) the rows given beforehand, or those of the segment that is marked now; None for none."""
    if not chosen.marks:
        return chosen.choice.of(ghost.rows.episode)
    display.explain(marking_text(keys_of(chosen)))
    marking = SegmentMarking(ghost, device)
    pacer = Pacer(ghost.rows.episode.info.rate_hz * chosen.speed)
    while not marking.done:
        pacer.wait()
        display.show_marking(marking.row, marking.first, marking.poll(time.monotonic_ns()))
    return None if marking.discarded else marking.chosen


def _walk(session: RelabelSession, chosen: DeviceChoice, display: RelabelDisplay) -> None:
    """Poll until the end: a person in paced time, the scripted operator as fast as possible."""
    if chosen.device == SCRIPTED:
        walk_as_scripted(session, display.show)
        return
    display.explain(labelling_text(chosen.method, keys_of(chosen)))
    pacer = Pacer(session.rate_hz * chosen.speed)
    while not session.done:
        pacer.wait()
        display.show(session.poll(time.monotonic_ns()))
