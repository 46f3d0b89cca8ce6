"""A labelling session of `relabel --device` that is interrupted in any way, and continued."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warm_process import WarmProcess

from robot_learning.cli.main import main
from robot_learning.core.errors import RobotConnectionError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import FileAccessError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.relabeling.journal import RelabelJournal, journal_path, read_journal
from robot_learning.teleop.device import TeleopInput
from robot_learning.teleop.scripted_operator import ScriptedOperator

Demonstrated = Callable[[str, int, Path], Path]


@pytest.fixture
def rollout(demonstrated: Demonstrated, tmp_path: Path) -> Path:
    return demonstrated("lift", 2, tmp_path / "lift")


def cut_off_by(monkeypatch: pytest.MonkeyPatch, problem: BaseException, polls: int = 5) -> None:
    """So many polls of the scripted operator go well, and the next one brings this about."""
    polled, poll = 0, ScriptedOperator.poll

    def polled_or_cut_off(*arguments: Any) -> TeleopInput:
        nonlocal polled
        polled += 1
        if polled > polls:
            raise problem
        return poll(*arguments)

    monkeypatch.setattr(ScriptedOperator, "poll", polled_or_cut_off)


def test_an_interruption_keeps_what_is_labelled_and_ends_it_all(
    rollout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off_by(monkeypatch, KeyboardInterrupt())
    command = ["relabel", str(rollout), "0", "1", "--device", "scripted", "--rows", "10:40"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "4 rows labelled" in said and "episode_000001" not in said
    (layer,) = Dataset(rollout).episode("episode_000000.hdf5").labels()
    assert np.flatnonzero(layer.mask).tolist() == [10, 11, 12, 13]


SLOW_HAND = """
import sys, time
from robot_learning.cli.main import main
from robot_learning.teleop.scripted_operator import ScriptedOperator

poll = ScriptedOperator.poll

def slowly(*arguments):
    time.sleep(0.02)
    return poll(*arguments)

ScriptedOperator.poll = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("method", ["step", "segment"])
def test_a_labelling_session_that_was_killed_continues(
    rollout: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["relabel", str(rollout), "0", "--author", "ana", "--device", "scripted"]
    command += ["--method", method, "--rows", "20:60"]
    journal = journal_path(rollout, "episode_000000.hdf5")
    process = WarmProcess(SLOW_HAND, command)
    while not journal.exists() or len(read_journal(journal).entries) < 12:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    assert process.kill() == -signal.SIGKILL
    before = read_journal(journal).entries
    assert len(before) < 40

    episode = "episode_000000.hdf5"
    assert Dataset(rollout).episode(episode).labels() == []
    assert main(["relabel", str(rollout), "0", "--list"]) == 0
    assert "can be continued" in capsys.readouterr().out
    assert main(command) == 0
    said = capsys.readouterr().out
    next_row = 20 + len(before)
    assert f"session: {len(before)} rows labelled, row {next_row} is next" in said
    assert "layer 0, 40 rows labelled; state restored exactly for 40 of 40 rows" in said
    (layer,) = Dataset(rollout).episode(episode).labels()
    assert np.flatnonzero(layer.mask).tolist() == list(range(20, 60))
    np.testing.assert_array_equal(layer.actions[20:next_row], [entry.action for entry in before])
    assert not journal.exists()
    assert verify_dataset(DatasetFolder(rollout)) == []


def test_a_session_continues_only_as_it_began_or_starts_over(
    rollout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["relabel", str(rollout), "0", "--device", "scripted", "--rows", "20:30"]
    journal = journal_path(rollout, "episode_000000.hdf5")
    # A layer that cannot be written: the labels wait for one that can.
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> int:
            raise FileAccessError("the disk is full")

        patch.setattr("robot_learning.relabeling.journaled_session.add_label_layer", full)
        assert main(command) == 2
    told = capsys.readouterr()
    assert "is kept: the same command continues" in told.out and "the disk is full" in told.err
    assert main(command) == 0
    assert "session: 10 rows labelled, none is left" in capsys.readouterr().out
    # A kill between the layer and the end of the journal: nothing is labelled twice.
    monkeypatch.setattr(RelabelJournal, "remove", RelabelJournal.close)
    assert main(command) == 0
    monkeypatch.undo()
    assert journal.exists()
    assert main([*command, "--method", "segment"]) == 2
    said = capsys.readouterr().err
    assert "a labelling session was interrupted (10 rows from 20 to 29, by step" in said
    assert main(command) == 0
    assert "layer 1, 10 rows labelled" in capsys.readouterr().out
    assert len(Dataset(rollout).episode("episode_000000.hdf5").labels()) == 2
    assert not journal.exists()
    # The same labels in a session of its own are a layer of their own: they are the newest again.
    assert main(command) == 0
    assert "layer 2, 10 rows labelled" in capsys.readouterr().out

    journal.parent.mkdir()
    journal.write_text("mine")
    assert main(command) == 2
    error = capsys.readouterr().err.strip()
    assert "is damaged in line 1" in error and "\n" not in error
    assert main([*command, "--restart"]) == 0
    said = capsys.readouterr().out
    assert "starts over; the earlier labels are in" in said and "10 rows labelled" in said
    assert (rollout / "trash" / journal.name).read_text() == "mine"


def test_what_was_cut_off_comes_first(
    rollout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["relabel", str(rollout), "0", "1", "--device", "scripted", "--rows", "5:15"]
    with monkeypatch.context() as patch:
        cut_off_by(patch, SystemExit(), polls=0)
        with pytest.raises(SystemExit):
            main(["relabel", str(rollout), "1", *command[4:]])
    capsys.readouterr()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.index("episode_000001: continues an interrupted labelling session") < said.index(
        "episode_000001: layer"
    )
    assert said.index("episode_000001: layer") < said.index("episode_000000: layer")


@pytest.mark.parametrize("problem", [RobotConnectionError, OSError])
def test_what_a_broken_device_labelled_is_kept(
    rollout: Path,
    problem: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["relabel", str(rollout), "0", "--device", "scripted", "--rows", "10:40"]
    cut_off_by(monkeypatch, problem("the wire is cut"))
    assert main(command) == 2
    said = capsys.readouterr()
    assert "is kept: the same command continues" in said.out and "the wire is cut" in said.err
    monkeypatch.undo()
    assert main(command) == 0
    assert "session: 4 rows labelled, row 14 is next" in capsys.readouterr().out
