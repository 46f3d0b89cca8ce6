"""Faults as they are written."""

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import Fault, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lost", Fault("lost")),
        ("unplug@5", Fault("unplug", None, 5.0)),
        ("overload:6@8", Fault("overload", 6, 8.0)),
        ("late:3@2.5x4", Fault("late", 3, 2.5, 4)),
        ("brown-out", Fault("brown-out")),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lost:", "'lost:' is no fault; write KIND"),
        ("losst", "unknown fault 'losst'; did you mean 'lost'"),
        ("dead@3", "names no servo; write dead:ID"),
        ("unplug:3", "'unplug:3' names a servo, but unplug is of the adapter"),
        ("lostx0", "'lostx0' hits no reply; its count is at least 1"),
        ("unplugx3", "has a count, which only these have: corrupt, late, lost"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_fault(text)


def test_a_fault_of_a_servo_that_is_not_there_is_refused(emulator: ServoEmulator) -> None:
    with pytest.raises(ConfigurationError, match=r"no servo has the id 9 .*; valid: 1, 2, 3"):
        emulator.inject(Fault("dead", 9))
