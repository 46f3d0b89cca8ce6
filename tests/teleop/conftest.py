"""A robot, its kinematics, and X servers of the tests' own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from x_server import XServer, start_x_server

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile


@pytest.fixture(scope="session")
def profile() -> RobotProfile:
    return load_profile("desk_arm")


@pytest.fixture(scope="session")
def duo() -> RobotProfile:
    return load_profile("desk_duo")


@pytest.fixture(scope="session")
def shared_x_server() -> Iterator[XServer]:
    server = start_x_server()
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
    server = start_x_server()
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
