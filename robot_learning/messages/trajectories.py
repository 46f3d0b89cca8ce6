"""The one check of joint trajectories: a trajectory that is wrong in any way is refused whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError, unknown_choice
from robot_learning.core.types import FloatArray
from robot_learning.messages.stamps import time_ns


class TrajectoryFault(Enum):
    """What can be wrong with a trajectory; the values are keys of counters."""

    UNKNOWN_JOINT = "unknown_joint"
    MISSING_JOINT = "missing_joint"
    REPEATED_JOINT = "repeated_joint"
    WRONG_SIZE = "wrong_size"
    WRONG_TIMES = "wrong_times"
    NOT_FINITE = "not_finite"


class TrajectoryError(CommandError):
    """A trajectory was refused; `fault` is what was wrong, the text says where."""

    def __init__(self, fault: TrajectoryFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True, eq=False)
class JointPoints:
    """Joint positions at times.

    Attributes:
        positions: (k, n) rad or m.
        offsets_s: (k,) increasing seconds from the beginning.
    """

    positions: FloatArray
    offsets_s: tuple[float, ...]


def read_trajectory(
    message: Any, joint_names: Sequence[str], *, may_name_others: bool = False
) -> JointPoints:
    """The points of a JointTrajectory; arguments and errors as of `check_trajectory`.

    Args:
        message: the JointTrajectory.
        joint_names: (n,) names of the robot's joints: the order of the points' columns.
        may_name_others: whether the message may name other joints too; those are left out.
    """
    points = message.points
    return check_trajectory(
        tuple(message.joint_names),
        [point.positions for point in points],
        [time_ns(point.time_from_start) / NS_PER_S for point in points],
        tuple(joint_names),
        may_name_others=may_name_others,
    )


def check_trajectory(
    given: tuple[str, ...],
    positions: FloatArray | Sequence[Sequence[float]],
    offsets_s: Sequence[float],
    joint_names: tuple[str, ...],
    *,
    may_name_others: bool = False,
) -> JointPoints:
    """The points of a trajectory, with the joints in the order of `joint_names`.

    Args:
        given: names of the columns of `positions`, in any order.
        positions: (k, m) rad or m, as the sender has them.
        offsets_s: (k,) when each row is meant, in seconds from the beginning.
        joint_names: the joints that are wanted.
        may_name_others: whether joints that are not wanted are passed over instead of refused.

    Returns:
        Points whose arrays are not the sender's.

    Raises:
        TrajectoryError: unknown, missing or repeated joints, no points, a wrong size, NaN or
            infinity, or times that are not finite, not negative and increasing.
    """
    # None leaves the columns as they are.
    columns = None if given == joint_names else _columns(given, joint_names, may_name_others)
    rows = _rows(len(given), positions)
    if columns is not None:
        rows = rows[:, columns]
    if not all_finite(rows):
        row, column = np.argwhere(~np.isfinite(rows))[0]
        text = f"not finite: point {row} asks {rows[row, column]} of joint '{joint_names[column]}'"
        raise TrajectoryError(TrajectoryFault.NOT_FINITE, text)
    offsets = tuple(float(offset_s) for offset_s in offsets_s)
    if len(offsets) != len(rows):
        text = f"{amount(len(rows), 'point')} but {amount(len(offsets), 'time')}"
        raise TrajectoryError(TrajectoryFault.WRONG_TIMES, text)
    if not _increase(offsets):
        shown = ", ".join(f"{offset_s:g}" for offset_s in offsets[:10])
        text = f"times must be finite, not negative and increasing; found {shown}"
        raise TrajectoryError(TrajectoryFault.WRONG_TIMES, text)
    return JointPoints(rows, offsets)


def all_finite(values: FloatArray) -> bool:
    """Whether no element is NaN or infinite.

    The sum of squares shows it in one cheap call; only where that is not finite (which huge
    values cause too) each element is looked at.
    """
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _columns(given: tuple[str, ...], wanted: tuple[str, ...], may_name_others: bool) -> list[int]:
    """Index of each wanted joint among the given ones."""
    for name in given:
        if name not in wanted and not may_name_others:
            text = unknown_choice("joint", name, wanted)
            raise TrajectoryError(TrajectoryFault.UNKNOWN_JOINT, text)
        if name in wanted and given.count(name) > 1:
            text = f"repeated joint '{name}'"
            raise TrajectoryError(TrajectoryFault.REPEATED_JOINT, text)
    missing = [name for name in wanted if name not in given]
    if missing:
        text = f"missing joint {', '.join(missing)}; every command holds all joints"
        raise TrajectoryError(TrajectoryFault.MISSING_JOINT, text)
    return [given.index(name) for name in wanted]


def _rows(count: int, positions: FloatArray | Sequence[Sequence[float]]) -> FloatArray:
    """(k, m) positions of the sender, who names `count` joints; copied."""
    if not len(positions):
        raise TrajectoryError(TrajectoryFault.WRONG_SIZE, "the trajectory has no points")
    try:
        rows = np.array(positions, dtype=np.float64)
    except (TypeError, ValueError):
        text = f"wrong size: every point needs {amount(count, 'number')}"
        raise TrajectoryError(TrajectoryFault.WRONG_SIZE, text) from None
    if rows.ndim != 2 or rows.shape[1] != count:
        found = " x ".join(str(length) for length in rows.shape)
        text = f"wrong size: expected points x {amount(count, 'joint')}, found {found}"
        raise TrajectoryError(TrajectoryFault.WRONG_SIZE, text)
    return rows


def _increase(offsets_s: tuple[float, ...]) -> bool:
    """Whether they are finite, not negative and increasing."""
    if not all(map(math.isfinite, offsets_s)) or offsets_s[0] < 0.0:
        return False
    return all(first < second for first, second in itertools.pairwise(offsets_s))
