"""When a gripper holds what it has closed on, and when it lets go or closes on."""

import pytest

from robot_learning.core.profile import Gripper
from robot_learning.robots.grip import GripHold, JawState

PRESSING, MOVING = (0.0, 0.45), (0.2, 0.45)


def state(time_s: float, position: float, motion: tuple[float, float] = PRESSING) -> JawState:
    return JawState(round(time_s * 1e9), position, *motion)


@pytest.fixture
def grip() -> GripHold:
    """Closes towards 0; holds after 0.3 s at 0.4 of its torque or more."""
    gripper = Gripper("gripper", open=1.0, closed=0.0, clear_width_m=0.05)
    return GripHold(gripper, stall_s=0.3, torque_limit=0.5, squeeze=0.05)


@pytest.fixture
def holding(grip: GripHold) -> GripHold:
    for time_s in (0.0, 0.3):
        grip.goal(0.0, state(time_s, 0.4))
    assert grip.is_holding
    return grip


def test_it_holds_after_a_while_of_pressing(grip: GripHold) -> None:
    goals = [grip.goal(0.0, state(time_s, 0.4)) for time_s in (0.0, 0.2, 0.3, 0.4)]
    assert goals == [0.0, 0.0, pytest.approx(0.35), pytest.approx(0.35)]


@pytest.mark.parametrize(
    ("wanted", "position", "motion"),
    [
        (0.0, 0.4, MOVING),
        (0.0, 0.4, (0.0, 0.3)),
        (0.38, 0.4, PRESSING),
        (1.0, 0.4, PRESSING),
    ],
    ids=["it moves", "it hardly presses", "it is there nearly", "it opens"],
)
def test_it_holds_nothing_while(
    grip: GripHold, wanted: float, position: float, motion: tuple[float, float]
) -> None:
    for time_s in (0.0, 0.2, 0.4, 0.6):
        assert grip.goal(wanted, state(time_s, position, motion)) == wanted
    assert not grip.is_holding


def test_a_moment_of_motion_begins_the_while_anew(grip: GripHold) -> None:
    for time_s, motion in ((0.0, PRESSING), (0.2, MOVING), (0.3, PRESSING), (0.5, PRESSING)):
        assert grip.goal(0.0, state(time_s, 0.4, motion)) == 0.0
    assert grip.goal(0.0, state(0.6, 0.4)) == pytest.approx(0.35)


def test_it_opens_when_it_is_told_to(holding: GripHold) -> None:
    assert holding.goal(0.3, state(0.4, 0.4)) == pytest.approx(0.35)
    assert holding.goal(0.36, state(0.5, 0.4)) == 0.36
    assert not holding.is_holding


def test_it_closes_on_when_what_it_held_has_slipped(holding: GripHold) -> None:
    assert holding.goal(0.0, state(0.4, 0.35, (0.0, 0.1))) == 0.0
    assert not holding.is_holding
