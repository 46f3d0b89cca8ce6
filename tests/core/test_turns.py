"""Which turn an angle means: first readings, readings that follow, and angles of another arm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_learning.core.turns import TURN_RAD, TurnCounter, TurnRules, counted

SLIDES, NARROW, WIDE, ENDLESS, FULL, BEYOND = range(6)
NAMES = ("slides", "narrow", "wide", "endless", "full", "beyond")
HOME = np.array([0.0, 0.0, 0.0, 0.5, 0.0, 1.0])


@pytest.fixture
def rules() -> TurnRules:
    low = np.array([0.0, -1.9, -6.2, -np.inf, -math.pi, -0.5])
    high = np.array([9.0, 1.9, 6.2, np.inf, math.pi, 4.0])
    range_ = np.where(np.isfinite(high), high - low, TURN_RAD)
    return TurnRules(
        names=NAMES,
        turning=np.array([False, True, True, True, True, True]),
        continuous=np.array([False, False, False, True, False, False]),
        low=low,
        high=high,
        slack=0.05 * range_,
        home=HOME,
    )


def at(joint: int, angle: float) -> np.ndarray:
    reading = HOME.copy()
    reading[joint] = angle
    return reading


@pytest.mark.parametrize(
    ("joint", "angle", "meant"),
    [
        *[(NARROW, 0.4 + TURN_RAD * turns, 0.4) for turns in (-2, -1, 1, 3)],
        (NARROW, 1.95, 1.95),  # sags a little beyond its limit
        (NARROW, 1.95 - TURN_RAD, 1.95),
        (NARROW, 1.89 + TURN_RAD, 1.89),
        (BEYOND, -2.5, -2.5 + TURN_RAD),  # a driver that reports within (-pi, pi]
        (BEYOND, 3.9, 3.9),
        (WIDE, 5.0, 5.0),  # as reported, where that is possible
        (WIDE, -3.2, -3.2),
        (ENDLESS, 0.4 + 3 * TURN_RAD, 0.4),
        (ENDLESS, -3.0, -3.0 + TURN_RAD),  # nearest to its home, 0.5
        (SLIDES, 7.0, 7.0),
        (SLIDES, -7.0, -7.0),
    ],
)
def test_a_first_reading_is_the_turn_within_the_limits(
    rules: TurnRules, joint: int, angle: float, meant: float
) -> None:
    position, problem = rules.first(at(joint, angle))
    assert problem == ""
    assert position == pytest.approx(at(joint, meant))


def test_where_no_turn_is_possible_the_reading_stays(rules: TurnRules) -> None:
    position, problem = rules.first(at(NARROW, 2.6))
    assert problem == ""
    np.testing.assert_array_equal(position, at(NARROW, 2.6))


@pytest.mark.parametrize(("joint", "angle"), [(WIDE, 8.0), (WIDE, -7.5), (FULL, 3.2 + TURN_RAD)])
def test_where_several_turns_are_possible_it_says_so(
    rules: TurnRules, joint: int, angle: float
) -> None:
    position, problem = rules.first(at(joint, angle))
    assert problem.startswith(f"joint '{NAMES[joint]}' reads {angle:.2f}, which may mean ")
    assert problem.endswith("its turn is not clear")
    np.testing.assert_array_equal(position, at(joint, angle))


def test_a_reading_that_fits_is_returned_itself(rules: TurnRules) -> None:
    reading = HOME + 0.1
    assert rules.first(reading)[0] is reading or np.array_equal(rules.first(reading)[0], reading)
    assert rules.following(reading, HOME) is reading


@pytest.mark.parametrize("joint", [NARROW, WIDE, ENDLESS, FULL, BEYOND])
@pytest.mark.parametrize("speed", [0.3, -0.3, 2.9])
def test_a_driver_that_wraps_is_followed(rules: TurnRules, joint: int, speed: float) -> None:
    truth = np.tile(HOME, (60, 1))
    truth[:, joint] += speed * np.arange(60)
    wrapped = np.where(rules.turning, (truth + math.pi) % TURN_RAD - math.pi, truth)
    assert counted(rules, wrapped) == pytest.approx(truth)


def test_a_joint_that_slides_is_never_turned(rules: TurnRules) -> None:
    readings = np.stack([at(SLIDES, 0.0), at(SLIDES, 6.3), at(SLIDES, 0.1)])
    np.testing.assert_array_equal(counted(rules, readings), readings)


def test_a_reading_that_is_not_finite_is_not_remembered(rules: TurnRules) -> None:
    counter = TurnCounter(rules)
    counter.take(at(WIDE, 3.1))
    assert np.isnan(counter.take(at(WIDE, math.nan))[WIDE])
    assert counter.take(at(WIDE, -3.1))[WIDE] == pytest.approx(-3.1 + TURN_RAD)
    fresh = TurnCounter(rules)
    fresh.take(at(NARROW, math.nan))
    assert fresh.take(at(NARROW, 0.3 + TURN_RAD))[NARROW] == pytest.approx(0.3)


def test_a_reader_may_reuse_its_array(rules: TurnRules) -> None:
    counter, reading = TurnCounter(rules), at(ENDLESS, 3.0)
    counter.take(reading)
    reading[ENDLESS] = -3.0
    assert counter.take(reading)[ENDLESS] == pytest.approx(TURN_RAD - 3.0)


def test_recounting_brings_endless_joints_home_and_no_others(rules: TurnRules) -> None:
    counter = TurnCounter(rules)
    for angle in np.linspace(0.0, 14.0, 40):
        reading = at(ENDLESS, angle)
        reading[WIDE] = min(angle, 6.0)
        counter.take(reading)
    counter.recount()
    position = counter.take(reading)
    assert position[ENDLESS] == pytest.approx(14.0 - 2 * TURN_RAD)
    assert position[WIDE] == 6.0


@pytest.mark.parametrize(
    ("joint", "angle", "model", "meant"),
    [
        *[(NARROW, 0.2 + TURN_RAD * turns, 0.1, 0.2) for turns in (-2, 1, 3)],
        *[(NARROW, -1.8 + TURN_RAD * turns, 1.5, -1.8) for turns in (-2, 0, 3)],
        (NARROW, 2.1 + TURN_RAD, 1.9, 2.1),  # the leader a little beyond the follower's limit
        (NARROW, 2.1 + TURN_RAD, -1.0, 2.1),
        (FULL, -3.12, 3.1, -3.12 + TURN_RAD),  # both at the same place, across the limit
        (FULL, 3.0, 0.0, 3.0),
        *[(WIDE, 3.05 + TURN_RAD * turns, 3.05, 3.05) for turns in (-2, -1, 0, 1, 3)],
        (WIDE, 5.0, 4.0, 5.0),
        (WIDE, 1.0, 6.1, 1.0),
        (ENDLESS, 0.1, 9.0, 0.1 + TURN_RAD),
        (SLIDES, 7.0, 0.5, 7.0),
    ],
)
def test_another_arm_stands_in_the_turn_that_fits(
    rules: TurnRules, joint: int, angle: float, model: float, meant: float
) -> None:
    turn, problem = rules.like(joint, angle, model, 0.3)
    assert problem == ""
    assert turn == pytest.approx(meant)


@pytest.mark.parametrize(
    ("joint", "angle", "model", "text"),
    [
        (NARROW, 2.6, 1.9, "narrow at 2.60 lies in no turn within [-1.9, 1.9]"),
        (WIDE, math.pi, 0.0, "wide' reads 3.14, which may mean -3.14 and 3.14 within [-6.2, 6.2]"),
        (WIDE, 3.0 + 3 * TURN_RAD, 0.0, "its turn is not clear"),
    ],
)
def test_another_arm_in_no_turn_or_in_two_is_told(
    rules: TurnRules, joint: int, angle: float, model: float, text: str
) -> None:
    assert text in rules.like(joint, angle, model, 0.3)[1]


@pytest.mark.parametrize(
    ("joint", "course"),
    [
        (BEYOND, np.linspace(3.9, 1.0, 40)),  # begins at -2.38, as a driver within (-pi, pi] says
        (WIDE, np.linspace(2.0, 5.9, 40)),
        (NARROW, np.linspace(-1.0, 1.0, 40)),
        (ENDLESS, np.linspace(0.5, 20.0, 40)),
    ],
)
def test_an_episode_lies_within_the_limits_and_goes_on(
    rules: TurnRules, joint: int, course: np.ndarray
) -> None:
    wanted = np.array([at(joint, angle) for angle in course])
    within_pi = np.where(rules.turning, np.angle(np.exp(1j * wanted)), wanted)
    rows, problem = rules.rows_inside(within_pi)
    assert problem == ""
    np.testing.assert_allclose(rows, wanted, atol=1e-9)
    np.testing.assert_array_equal(rules.rows_inside(rows)[0], rows)


def test_a_first_row_that_can_be_believed_is_moved_where_the_episode_says_so(
    rules: TurnRules,
) -> None:
    # -0.4 lies within [-0.5, 4] with its slack, but the rows after it do not.
    rows, _ = rules.rows_inside(np.array([at(BEYOND, angle) for angle in (-0.4, -2.0, -2.6)]))
    np.testing.assert_array_equal(rows[:, BEYOND], [-0.4, -2.0, -2.6])  # no turn holds them all
    full = np.array([at(FULL, angle) for angle in (-3.1, -3.3, -5.0)])
    np.testing.assert_allclose(rules.rows_inside(full)[0][:, FULL], full[:, FULL] + TURN_RAD)


def test_an_episode_whose_turn_is_not_clear_is_told_and_stays(rules: TurnRules) -> None:
    readings = np.array([at(WIDE, angle) for angle in (9.0, 9.1)])
    rows, problem = rules.rows_inside(readings)
    np.testing.assert_array_equal(rows, readings)
    assert "joint 'wide' reads 9.00, which may mean -3.57 and 2.72" in problem
