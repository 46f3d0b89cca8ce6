"""Which turn an angle means: the same angle can be read as a, a + 2 pi, a - 2 pi, ...

Encoders forget how often they turned, and many drivers report angles within (-pi, pi]. Everything
that reads an angle goes through these rules, so that the arbiter, teleoperation, recordings,
imports, replays and policies mean the same turn:

* A first reading is believed where it lies within the joint's limits, else it is the one turn
  that does. Where several turns do, nobody can know which: that is reported as a problem and
  never guessed. A continuous joint begins with the turn nearest to its home.
* Every later reading is the turn nearest to the one before.

A joint that slides (m) has no turns. A value that needs no other turn is returned bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_learning.core.profile import JointKind, RobotProfile
from robot_learning.core.types import FloatArray

TURN_RAD = 2.0 * math.pi
OUTSIDE_SHARE = 0.05
"""A joint that sags or reads beyond its limit by less than this share of its range is believed."""
UNCLEAR_RAD = 0.5
"""Two turns are equally near where their distances differ by less than twice this."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TurnRules:
    """The joints of one robot, as far as their turns go; made by `of`.

    Attributes:
        names: (n,) names of the joints, in vector order.
        turning: (n,) whether a joint is revolute.
        continuous: (n,) whether a joint turns without end.
        low: (n,) lower limits, minus infinity for a continuous joint.
        high: (n,) upper limits, plus infinity for a continuous joint.
        slack: (n,) how far outside of its limits a joint's reading is still believed, rad or m.
        home: (n,) home position.
    """

    names: tuple[str, ...]
    turning: Flags
    continuous: Flags
    low: FloatArray
    high: FloatArray
    slack: FloatArray
    home: FloatArray

    @classmethod
    def of(cls, profile: RobotProfile) -> TurnRules:
        """The rules of a robot."""
        return cls(
            names=profile.joint_names,
            turning=np.array([joint.kind is JointKind.REVOLUTE for joint in profile.joints]),
            continuous=np.array([joint.continuous for joint in profile.joints]),
            low=profile.position_min,
            high=profile.position_max,
            slack=OUTSIDE_SHARE * profile.position_range,
            home=profile.home,
        )

    @property
    def any_continuous(self) -> bool:
        """Whether a joint turns without end."""
        return bool(self.continuous.any())

    def first(self, reading: FloatArray) -> tuple[FloatArray, str]:
        """(n,) what a first reading means, and which joint's turn cannot be known (else empty).

        Such a joint stays as it was read, as does one of which no turn lies within the limits.
        """
        position, problem = reading, ""
        if self.any_continuous:
            position = np.where(self.continuous, nearest_turn(reading, self.home), reading)
        inside = (position >= self.low - self.slack) & (position <= self.high + self.slack)
        if (inside | ~self.turning).all():
            return position, problem
        position = position.copy()
        for index in np.flatnonzero(self.turning & ~inside & np.isfinite(position)):
            turns = self.turns_inside(int(index), float(position[index]), float(self.slack[index]))
            if len(turns) == 1:
                position[index] = turns[0]
            elif turns:
                problem = problem or self._unclear(int(index), float(position[index]), turns)
        return position, problem

    def following(self, reading: FloatArray, before: FloatArray) -> FloatArray:
        """(n,) or (k, n): the turn of each reading that is nearest to `before`."""
        return self._near(self.turning, reading, before)

    def beside(self, position: FloatArray, reference: FloatArray) -> FloatArray:
        """`position` with its continuous joints in the turn nearest to `reference`, both (n,).

        For what is compared across processes, each of which counts turns for itself: only for a
        continuous joint are all turns the same place.
        """
        return self._near(self.continuous, position, reference)

    def rows_beside(self, positions: FloatArray, reference: FloatArray) -> FloatArray:
        """`positions` (k, n): the first as `beside` gives it, each other beside the one before."""
        if not self.any_continuous:
            return positions
        rows: list[FloatArray] = []
        for row in positions:
            reference = self.beside(row, reference)
            rows.append(reference)
        return np.array(rows).reshape(positions.shape)

    def rows_inside(self, readings: FloatArray) -> tuple[FloatArray, str]:
        """(k, n) readings of a whole episode, and which joint's turn cannot be known (else empty).

        They are `counted`. A joint that leaves its limits then is moved by the one number of turns
        with which all of its rows lie within them: of a whole episode more is known than of its
        first row.
        """
        rows, problem = counted(self, readings), ""
        for index in np.flatnonzero(self.turning & ~self.continuous):
            course = rows[np.isfinite(rows[:, index]), index]
            if not course.size:
                continue
            least, most, slack = float(course.min()), float(course.max()), float(self.slack[index])
            if least >= self.low[index] - slack and most <= self.high[index] + slack:
                continue
            starts = [
                start
                for start in self.turns_inside(int(index), least, slack)
                if start + most - least <= self.high[index] + slack
            ]
            if len(starts) == 1:
                rows[:, index] += TURN_RAD * round((starts[0] - least) / TURN_RAD)
            elif starts:
                problem = problem or self._unclear(int(index), least, starts)
        return rows, problem

    def turns_inside(self, index: int, angle: float, slack: float) -> list[float]:
        """The turns of a joint's angle that lie within its limits or beyond by at most `slack`.

        Args:
            index: index of the joint in the joint vector.
            angle: the joint's angle in any turn, rad.
            slack: how far outside of its limits the joint may be, rad.
        """
        low, high = float(self.low[index]) - slack, float(self.high[index]) + slack
        least, most = math.ceil((low - angle) / TURN_RAD), math.floor((high - angle) / TURN_RAD)
        return [angle + TURN_RAD * turns for turns in range(least, most + 1)]

    def like(self, index: int, angle: float, model: float, close: float) -> tuple[float, str]:
        """The turn of another arm's `angle` that stands for this robot's joint, now at `model`.

        The turn nearest to the joint where the two are `close`; else the one turn that lies within
        the limits (or beyond by at most `close`). Where there are several it is the nearest, if
        that is clear.

        Args:
            index: index of the joint in this robot's joint vector.
            angle: angle of the other arm's joint in any turn, rad.
            model: present angle of this robot's joint, rad.
            close: difference up to which the two joints count as being at the same place, rad.

        Returns:
            The angle, and in one line why there is none (else empty).
        """
        if not self.turning[index]:
            return angle, ""
        near = angle + TURN_RAD * round((model - angle) / TURN_RAD)
        if self.continuous[index] or abs(near - model) <= close:
            return near, ""
        turns = self.turns_inside(index, angle, 0.0) or self.turns_inside(index, angle, close)
        if not turns:
            limits = f"[{self.low[index]:g}, {self.high[index]:g}]"
            return near, f"{self.names[index]} at {near:.2f} lies in no turn within {limits}"
        turns.sort(key=lambda turn: abs(turn - model))
        if len(turns) > 1:
            ahead = abs(turns[1] - model) - abs(turns[0] - model)
            if ahead < 2.0 * UNCLEAR_RAD:
                return turns[0], self._unclear(index, angle, turns)
        return turns[0], ""

    def _unclear(self, index: int, angle: float, turns: list[float]) -> str:
        places = " and ".join(f"{turn:.2f}" for turn in sorted(turns[:2]))
        limits = f"[{self.low[index]:g}, {self.high[index]:g}]"
        text = f"reads {angle:.2f}, which may mean {places} within {limits}"
        return f"joint '{self.names[index]}' {text}: its turn is not clear"

    @staticmethod
    def _near(which: Flags, values: FloatArray, reference: FloatArray) -> FloatArray:
        away = which & (np.abs(values - reference) > math.pi)
        if not away.any():
            return values
        return np.where(away, nearest_turn(values, reference), values)


class TurnCounter:
    """Follows the readings of one robot. One thread.

    Attributes:
        rules: the robot's.
        position: (n,) what the newest reading means; None before the first.
        problem: text that names the joint whose turn could not be known at the first reading; empty
            when all could.
    """

    def __init__(self, rules: TurnRules) -> None:
        self.rules = rules
        self.position: FloatArray | None = None
        self.problem = ""

    def restart(self) -> None:
        """The next reading is a first one."""
        self.position, self.problem = None, ""

    def recount(self) -> None:
        """Continuous joints count from their home again; the others go on."""
        if self.position is not None and self.rules.any_continuous:
            self.position = self.rules.beside(self.position, self.rules.home)

    def take(self, reading: FloatArray) -> FloatArray:
        """(n,) what a reading means. One that is not finite is returned and forgotten."""
        if self.position is None:
            position, problem = self.rules.first(reading)
        else:
            position, problem = self.rules.following(reading, self.position), self.problem
        if np.isfinite(position).all():
            # A copy, since who reads the robot may reuse the array.
            self.position, self.problem = position.copy(), problem
        return position


def nearest_turn(angle: FloatArray, reference: FloatArray) -> FloatArray:
    """(n,) the turn of each angle that is nearest to `reference`; NaN stays NaN."""
    turns = np.round((reference - angle) / TURN_RAD)
    return np.where(turns == 0.0, angle, angle + TURN_RAD * turns)


def counted(rules: TurnRules, readings: FloatArray) -> FloatArray:
    """(k, n) readings one after the other, as a `TurnCounter` would take them."""
    counter = TurnCounter(rules)
    return np.array([counter.take(row) for row in readings]).reshape(readings.shape)
