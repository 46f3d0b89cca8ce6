"""What is told of a device's health when it comes and goes, and what its texts say."""

from __future__ import annotations

import pytest

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.teleop.device import TeleopContext
from robot_learning.teleop.device_line import DeviceLine

LOST, UNPLUGGED = "the robot was last heard 0.3 s ago", "the gamepad is unplugged"
PERIOD_S = 0.02


class Told:
    """A device line that is asked at given times, and what it has told: (s, text)."""

    def __init__(self) -> None:
        self.line = DeviceLine(quiet_s=10.0, settled_s=1.0)
        self.lines: list[tuple[float, str]] = []

    def at(self, now_s: float, problem: str = "") -> None:
        if text := self.line.update(seconds_to_ns(now_s), problem):
            self.lines.append((now_s, text))

    def through(self, from_s: float, to_s: float, problem: str = "") -> None:
        for tick in range(round(from_s / PERIOD_S), round(to_s / PERIOD_S)):
            self.at(round(tick * PERIOD_S, 3), problem)


@pytest.fixture
def told() -> Told:
    return Told()


def test_what_is_found_at_first_is_told_at_once_and_once(told: Told) -> None:
    told.through(0.0, 5.0)
    assert told.lines == [(0.0, "ready")]
    other = Told()
    other.through(0.0, 5.0, LOST)
    assert other.lines == [(0.0, LOST)]


def test_what_was_never_ready_is_told_again_until_it_is(told: Told) -> None:
    told.through(0.0, 70.0, UNPLUGGED)
    told.through(70.0, 80.0)
    told.through(80.0, 150.0, UNPLUGGED)
    assert told.lines == [
        *((0.0, UNPLUGGED), (30.0, UNPLUGGED), (60.0, UNPLUGGED)),
        *((71.0, "ready"), (80.0, UNPLUGGED)),
    ]


def test_worse_is_told_at_once_and_better_once_it_has_lasted(told: Told) -> None:
    told.through(0.0, 20.0)
    told.through(20.0, 21.0, LOST)
    told.through(21.0, 30.0)
    assert told.lines == [(0.0, "ready"), (20.0, LOST), (22.0, "ready")]


def test_a_device_that_flaps_is_told_once_in_ten_seconds_with_a_count(told: Told) -> None:
    told.at(0.0)
    # Lost for half of each second, over a minute.
    for second in range(20, 80):
        told.through(second, second + 0.5, LOST)
        told.through(second + 0.5, second + 1.0)
    repeated = f"{LOST} (10 times in the last 9 s)"
    assert told.lines == [
        (0.0, "ready"),
        (20.0, LOST),
        *((float(second), repeated) for second in range(30, 80, 10)),
    ]


def test_what_was_not_told_in_between_comes_with_the_recovery(told: Told) -> None:
    told.at(0.0, LOST)
    for second in (1, 2, 3):
        told.at(second)
        told.at(second + 0.5, LOST)
    told.through(4.0, 8.0)
    assert told.lines == [(0.0, LOST), (5.0, f"ready; before: {LOST} (3 times in the last 4 s)")]


def test_a_blip_after_a_recovery_waits_and_is_counted_later(told: Told) -> None:
    told.at(0.0, LOST)
    told.through(0.5, 4.0)
    told.at(4.0, LOST)
    told.through(4.02, 30.0)
    told.at(30.0, LOST)
    assert told.lines == [
        (0.0, LOST),
        (1.5, "ready"),
        (30.0, f"{LOST} (2 times in the last 26 s)"),
    ]


def test_a_lasting_change_for_the_worse_is_told_when_the_quiet_time_is_over(told: Told) -> None:
    told.through(0.0, 2.0, LOST)
    told.through(2.0, 30.0, UNPLUGGED)
    assert told.lines == [(0.0, LOST), (10.0, UNPLUGGED)]


def test_a_growing_duration_is_the_same_problem_and_the_first_is_told(told: Told) -> None:
    for tick in range(500):
        told.at(tick * PERIOD_S, f"the leader of 'arm2': silent {0.3 + tick * PERIOD_S:.2f} s")
    assert told.lines == [(0.0, "the leader of 'arm2': silent 0.30 s")]


def test_never_heard_and_no_longer_heard_are_two_things() -> None:
    assert TeleopContext().lost_robot.reason == "the robot was not heard yet"
    silent = TeleopContext(silence_s=0.42)
    assert silent.lost_robot.reason == "the robot was last heard 0.4 s ago"
    assert not silent.lost_robot.alive
