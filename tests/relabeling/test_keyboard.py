"""`relabel` with real keys of an X server, and a kill in the middle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from keyboard_pilot import Typist
from x_server import XServer, start_x_server

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.relabeling.journal import Kind, journal_path, read_journal

Demonstrated = Callable[[str, int, Path], Path]
EPISODE = "episode_000000.hdf5"


@pytest.fixture
def x_server() -> Iterator[XServer]:
    server = start_x_server()
    yield server
    server.stop()


@pytest.fixture
def typist(x_server: XServer) -> Iterator[Typist]:
    typist = Typist(x_server.display)
    yield typist
    typist.close()


def test_labels_of_real_keys_outlive_a_kill(
    demonstrated: Demonstrated, tmp_path: Path, x_server: XServer, typist: Typist
) -> None:
    path = demonstrated("lift", 1, tmp_path / "lift")
    journal = journal_path(path, EPISODE)
    environment = {**os.environ, "DISPLAY": x_server.display}
    environment.pop("WINDOWID", None)
    command = [sys.executable, "-m", "robot_learning.cli.main", "relabel", str(path), "0"]
    command += ["--device", "keyboard", "--rows", "20:50", "--speed", "0.5"]

    def begin(devices: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, env=environment)
        while not journal.exists() or len(read_journal(journal).devices) < devices:
            assert process.poll() is None
            time.sleep(0.05)
        return process

    process = begin(1)
    while len(read_journal(journal).entries) < 5:
        # Whatever stalls the machine counts as a suspension: keys are let go and pressed again.
        typist.hold({"w"} if "w" not in typist.held else set())
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    typist.hold(set())
    before = read_journal(journal).entries
    assert all(entry.kind is Kind.LABELLED for entry in before) and len(before) < 30

    process = begin(2)
    while process.poll() is None:
        typist.hold({"a"} if "a" not in typist.held else set())
        time.sleep(0.5)
    assert process.returncode == 0 and not journal.exists()
    (layer,) = Dataset(path).episode(EPISODE).labels()
    assert np.flatnonzero(layer.mask).tolist() == list(range(20, 50))
    for entry in before:
        np.testing.assert_array_equal(layer.actions[entry.row], entry.action)
    assert layer.method.startswith("keyboard, by step; state restored exactly for 30 of 30")
