"""A trajectory that is wrong in any way is refused whole, and the error says what was wrong."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robot_learning.messages.trajectories import TrajectoryError, TrajectoryFault, read_trajectory

NAMES = ("a", "b", "c")
_S = 1_000_000_000


def trajectory(
    names: tuple[str, ...] = NAMES, positions: Any = ((1.0, 2.0, 3.0),), times: Any = (0.0,)
) -> SimpleNamespace:
    """What reads as a JointTrajectory."""
    offsets = [divmod(round(time_s * _S), _S) for time_s in times]
    points = [
        SimpleNamespace(
            positions=list(row), time_from_start=SimpleNamespace(sec=sec, nanosec=nanosec)
        )
        for row, (sec, nanosec) in zip(positions, offsets, strict=True)
    ]
    return SimpleNamespace(joint_names=list(names), points=points)


@pytest.mark.parametrize(
    ("message", "fault", "text"),
    [
        (trajectory(positions=(), times=()), "wrong_size", "no points"),
        (trajectory(("a", "b", "x")), "unknown_joint", "unknown joint 'x'.*valid: a, b, c"),
        (trajectory(("a", "b"), ((1.0, 2.0),)), "missing_joint", "missing joint c"),
        (trajectory(("a", "b", "b")), "repeated_joint", "repeated joint 'b'"),
        (trajectory(positions=((1.0, 2.0),)), "wrong_size", "points x 3 joints, found 1 x 2"),
        (
            trajectory(positions=((1.0, 2.0, 3.0), (1.0, 2.0)), times=(0.0, 1.0)),
            "wrong_size",
            "every point needs 3 numbers",
        ),
        (trajectory(positions=((1.0, math.nan, 3.0),)), "not_finite", "nan of joint 'b'"),
        (trajectory(positions=((1.0, 2.0, math.inf),)), "not_finite", "inf of joint 'c'"),
        (
            trajectory(positions=np.zeros((2, 3)), times=(1.0, 0.5)),
            "wrong_times",
            "increasing; found 1, 0.5",
        ),
        (
            trajectory(positions=np.zeros((2, 3)), times=(1.0, 1.0)),
            "wrong_times",
            "increasing; found 1, 1",
        ),
        (trajectory(times=(-1.0,)), "wrong_times", "not negative and increasing; found -1"),
    ],
)
def test_a_trajectory_that_is_wrong_in_any_way_is_refused_whole(
    message: SimpleNamespace, fault: str, text: str
) -> None:
    with pytest.raises(TrajectoryError, match=text) as raised:
        read_trajectory(message, NAMES)
    assert raised.value.fault is TrajectoryFault(fault)


def test_points_come_in_the_wanted_order() -> None:
    message = trajectory(("c", "a", "b"), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), (0.5, 1.25))
    points = read_trajectory(message, NAMES)
    assert points.offsets_s == (0.5, 1.25)
    np.testing.assert_array_equal(points.positions, [[2, 3, 1], [5, 6, 4]])


def test_joints_of_others_are_passed_over_where_that_is_allowed() -> None:
    message = trajectory(("wheel", "c", "a", "wheel"), ((math.nan, 3.0, 1.0, 9.0),))
    with pytest.raises(TrajectoryError, match="unknown joint 'wheel'"):
        read_trajectory(message, ("a", "c"))
    points = read_trajectory(message, ("a", "c"), may_name_others=True)
    np.testing.assert_array_equal(points.positions, [[1.0, 3.0]])
    with pytest.raises(TrajectoryError, match="missing joint b"):
        read_trajectory(message, NAMES, may_name_others=True)
