"""Ticks and joint positions, one from the other, and the turn that a servo has forgotten."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.calibration import (
    SLACK_TICKS,
    TICK_RAD,
    TICKS_PER_TURN,
    JointScale,
    SlidingScale,
    TurningScale,
    turns_away,
)

FEW = settings(max_examples=50, deadline=None)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Points whose ticks rise and whose metres rise or fall."""
    widths = st.tuples(st.integers(20, 600), st.integers(1, 20))
    ticks, metres, points = 0, 0, [(0.0, 0.0)]
    sign = draw(st.sampled_from([1, -1]))
    for tick_step, metre_step in draw(st.lists(widths, min_size=1, max_size=6)):
        ticks, metres = ticks + tick_step, metres + metre_step
        points.append((float(ticks), sign * metres / 1000))
    return points


turning = st.builds(TurningScale, st.integers(-8192, 8192), st.sampled_from([1, -1]))
scales = st.one_of(turning, tables().map(SlidingScale))
ticks_anywhere = st.floats(-6000, 6000)


@FEW
@given(scales, ticks_anywhere)
def test_ticks_come_back_from_their_position(scale: JointScale, ticks: float) -> None:
    assert scale.ticks(scale.position(ticks)) == pytest.approx(ticks, abs=1e-6)


@FEW
@given(scales, ticks_anywhere, st.floats(0.1, 500))
def test_the_way_is_one_way_and_no_longer_than_the_largest_step(
    scale: JointScale, ticks: float, ahead: float
) -> None:
    way = scale.position(ticks + ahead) - scale.position(ticks)
    assert math.copysign(1.0, scale.step(ticks)) * way > 0.0
    assert abs(way) <= scale.largest_step * ahead * (1 + 1e-9)


@FEW
@given(tables())
def test_a_table_is_met_at_its_points(table: list[tuple[float, float]]) -> None:
    scale = SlidingScale(table)
    for ticks, metres in table:
        assert scale.position(ticks) == pytest.approx(metres, abs=1e-12)


def test_a_joint_against_its_servo() -> None:
    scale = TurningScale(1024, -1)
    assert scale.position(0.0) == pytest.approx(math.pi / 2)
    assert scale.ticks(math.pi) == pytest.approx(-1024)
    assert scale.step(7.0) == -TICK_RAD


@FEW
@given(
    st.integers(-9000, 9000),
    st.integers(10, TICKS_PER_TURN - 2 * SLACK_TICKS - 1),
    st.floats(0, 1),
    st.integers(-3, 3),
)
def test_a_forgotten_turn_is_found(low: int, span: int, share: float, forgotten: int) -> None:
    true_ticks = low + share * span
    reading = true_ticks - forgotten * TICKS_PER_TURN
    assert turns_away(reading, low, low + span) == forgotten


@pytest.mark.parametrize(
    ("reading", "low", "high", "text"),
    [
        (3000.0, 1000, 2000, "it reads 3000 ticks, outside its calibrated range, 1000 to 2000"),
        (0.0, 0, 4000, "its range of 4000 ticks is a turn or nearly"),
    ],
)
def test_a_reading_that_fits_nowhere_is_refused(
    reading: float, low: int, high: int, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        turns_away(reading, low, high)


@pytest.mark.parametrize(
    "table",
    [
        [(0, 0.0), (9, math.inf)],
        [(0, 0.0)],
        [(0, 0.0), (0, 1.0)],
        [(0, 0.0), (9, 0.1), (10, 0.05)],
        [(0, 0.1), (9, 0.1)],
    ],
)
def test_a_table_that_turns_back_is_refused(table: list[tuple[float, float]]) -> None:
    with pytest.raises(ConfigurationError, match="table of ticks and metres"):
        SlidingScale(table)
