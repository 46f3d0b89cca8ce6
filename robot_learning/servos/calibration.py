"""Where a joint is by the ticks of its servo, and the ticks by which it gets somewhere.

A tick is the smallest angle that a servo tells apart. Ticks are counted on from turn to turn here,
so that they may be negative, or more than a turn.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import Sign

TICKS_PER_TURN = 4096
"""Of every model that is known."""
TICK_RAD = math.tau / TICKS_PER_TURN
SLACK_TICKS = 57
"""How far out of its calibrated range a joint may stand: five degrees, as parts give way."""


class JointScale(Protocol):
    """What the ticks of a joint's servo mean, in rad or m."""

    @property
    def largest_step(self) -> float:
        """The most that one tick moves the joint, rad or m."""
        ...

    def position(self, ticks: float) -> float:
        """Where the joint is, rad or m."""
        ...

    def step(self, ticks: float) -> float:
        """How far the next tick upwards moves the joint from there, rad or m, with its sign."""
        ...

    def ticks(self, position: float) -> float:
        """At how many ticks the joint is at that position."""
        ...


@dataclass(frozen=True, slots=True)
class TurningScale:
    """A joint that turns as its servo does.

    Attributes:
        zero_ticks: ticks at which the joint is at 0 rad.
        sign: -1 where the joint turns against its servo.
    """

    zero_ticks: int
    sign: Sign = 1

    @property
    def largest_step(self) -> float:
        """The angle of one tick, rad."""
        return TICK_RAD

    def position(self, ticks: float) -> float:
        """Where the joint is, rad."""
        return self.sign * (ticks - self.zero_ticks) * TICK_RAD

    def step(self, ticks: float) -> float:
        """The angle of one tick with its sign, rad; the same everywhere."""
        del ticks
        return self.sign * TICK_RAD

    def ticks(self, position: float) -> float:
        """At how many ticks the joint is at that angle, rad."""
        return self.zero_ticks + self.sign * position / TICK_RAD


class SlidingScale:
    """A joint that slides, behind a horn, a rack or a linkage.

    Between the points of its table it moves in proportion, and beyond its ends as at them.
    """

    def __init__(self, table: Sequence[tuple[float, float]]) -> None:
        """Take the table.

        Args:
            table: points of ticks and metres; both rise from point to point, or the metres fall.

        Raises:
            ConfigurationError: There are fewer than two points, or they turn back.
        """
        if len(table) < 2:
            raise ConfigurationError("a table of ticks and metres needs two points or more")
        self._ticks = [float(ticks) for ticks, _ in table]
        self._metres = [float(metres) for _, metres in table]
        rise = 1.0 if self._metres[-1] > self._metres[0] else -1.0
        self._rising = [rise * each for each in self._metres]
        self._rise = rise
        if not (_climbs(self._ticks) and _climbs(self._rising)):
            raise ConfigurationError(
                "in a table of ticks and metres the ticks rise from point to point, and the metres "
                "rise all the way or fall all the way"
            )

    @property
    def largest_step(self) -> float:
        """The most that one tick moves the joint, m."""
        return max(abs(self._slope(index)) for index in range(len(self._ticks) - 1))

    def position(self, ticks: float) -> float:
        """Where the joint is, m."""
        index = self._segment(self._ticks, ticks)
        return self._metres[index] + self._slope(index) * (ticks - self._ticks[index])

    def step(self, ticks: float) -> float:
        """How far the next tick upwards moves the joint from there, m, with its sign."""
        return self._slope(self._segment(self._ticks, ticks))

    def ticks(self, position: float) -> float:
        """At how many ticks the joint is at that position, m."""
        index = self._segment(self._rising, self._rise * position)
        return self._ticks[index] + (position - self._metres[index]) / self._slope(index)

    def _segment(self, values: Sequence[float], value: float) -> int:
        """The place of the point before a value; the first or the last but one beyond the ends."""
        return min(max(bisect_right(values, value) - 1, 0), len(values) - 2)

    def _slope(self, index: int) -> float:
        """Metres a tick from that point to the next."""
        rise = self._metres[index + 1] - self._metres[index]
        return rise / (self._ticks[index + 1] - self._ticks[index])


def turns_away(reading_ticks: float, low_ticks: int, high_ticks: int) -> int:
    """By how many turns a servo miscounts: what to add to a reading so that it is in the range.

    A servo that counts turns forgets them with the power. A joint that moves through less than a
    turn says by itself in which one it is.

    Args:
        reading_ticks: what the servo reads.
        low_ticks: lower end of the joint's calibrated range.
        high_ticks: upper end.

    Raises:
        ConfigurationError: The joint moves through a turn or more, or it stands outside its range
            in every turn; the text says what to do.
    """
    span = high_ticks - low_ticks
    if span + 2 * SLACK_TICKS >= TICKS_PER_TURN:
        raise ConfigurationError(
            f"its range of {amount(span, 'tick')} is a turn or nearly, so that the turn it stands "
            "in cannot be known"
        )
    middle = (low_ticks + high_ticks) / 2
    turns = round((middle - reading_ticks) / TICKS_PER_TURN)
    found = reading_ticks + turns * TICKS_PER_TURN
    if not low_ticks - SLACK_TICKS <= found <= high_ticks + SLACK_TICKS:
        raise ConfigurationError(
            f"it reads {reading_ticks:.0f} ticks, outside its calibrated range, {low_ticks} to "
            f"{high_ticks}; move it there by hand, or calibrate it again if its horn has slipped"
        )
    return turns


def _climbs(values: Sequence[float]) -> bool:
    rises = all(before < after for before, after in pairwise(values))
    return rises and all(map(math.isfinite, values))
