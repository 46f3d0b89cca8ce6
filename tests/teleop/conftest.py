"""A robot, its kinematics, and X servers of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile


@pytest.fixture(scope="session")
def profile() -> RobotProfile:
    return load_profile("desk_arm")


@pytest.fixture(scope="session")
def duo() -> RobotProfile:
    return load_profile("desk_duo")


class XServer:
    """An Xvfb on a display number that it picks itself."""

    def __init__(self) -> None:
        read_fd, write_fd = os.pipe()
        command = ["Xvfb", "-displayfd", str(write_fd), "-screen", "0", "640x480x24"]
        self.process = subprocess.Popen(
            [*command, "-nolisten", "tcp", "-noreset"],
            pass_fds=[write_fd],
            stderr=subprocess.DEVNULL,
        )
        os.close(write_fd)
        with os.fdopen(read_fd) as reply:
            self.display = f":{reply.readline().strip()}"

    def xdotool(self, *arguments: str) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        command = ["xdotool", *arguments]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _start() -> XServer:
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        pytest.skip("needs Xvfb and xdotool (Debian: apt install xvfb xdotool)")
    return XServer()


@pytest.fixture(scope="session")
def shared_x_server() -> Iterator[XServer]:
    server = _start()
    yield server
    server.stop()


@pytest.fixture
def x_server(shared_x_server: XServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[XServer]:
    """The session's X server, set as DISPLAY; every key is up at start and end."""
    monkeypatch.setenv("DISPLAY", shared_x_server.display)
    monkeypatch.delenv("WINDOWID", raising=False)
    yield shared_x_server
    shared_x_server.xdotool("keyup", "w", "keyup", "a", "keyup", "r", "keyup", "shift")


@pytest.fixture
def doomed_x_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[XServer]:
    """An X server that the test may kill."""
    server = _start()
    monkeypatch.setenv("DISPLAY", server.display)
    monkeypatch.delenv("WINDOWID", raising=False)
    yield server
    server.stop()


@pytest.fixture
def wait_for() -> Callable[..., object]:
    """Call `probe` until `accept` takes its value; fails with the last one after 5 s."""

    def wait(probe: Callable[[], object], accept: Callable[[object], bool]) -> object:
        end = time.monotonic() + 5.0
        while True:
            value = probe()
            if accept(value):
                return value
            if time.monotonic() > end:
                pytest.fail(f"waited in vain; last: {value}")
            time.sleep(0.01)

    return wait
