"""Who takes hold again before the arbiter has heard a silence has to ask."""

import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.teleop.engagement import ReengageDetector


@pytest.mark.parametrize(
    ("levels", "asks"),
    [
        ("1", []),
        ("0001", []),
        ("111", []),
        ("1101", [3]),
        ("11001", [4]),
        ("110001", []),
        ("1100001", []),
        ("10101", [2, 4]),
    ],
)
def test_it_asks_once_after_a_short_pause(levels: str, asks: list[int]) -> None:
    detector = ReengageDetector(timeout_s=0.25)
    answers = [
        detector.update(seconds_to_ns(0.1 * tick), level == "1")
        for tick, level in enumerate(levels)
    ]
    assert [tick for tick, answer in enumerate(answers) if answer] == asks
