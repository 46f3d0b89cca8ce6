"""What holds for every test: property tests repeat themselves, and ROS tests take turns."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Several graphs at a time on two cores would measure each other.
    for item in items:
        if ROS_TESTS in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("ros"))
