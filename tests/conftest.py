"""What holds for every test: property tests repeat themselves, and ROS tests take turns."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROS_TESTS = Path(__file__).parent / "ros"

# The same examples every time, and no bound on their duration: a loaded machine is not a bug.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C reaches the tests and what they start: who runs them in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Several graphs at a time on two cores would measure each other.
    for item in items:
        if ROS_TESTS in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("ros"))
