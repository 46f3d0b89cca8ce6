"""Joints picked by name from messages."""

from types import SimpleNamespace

import numpy as np
import pytest

from robot_learning.core.errors import CommandError
from robot_learning.messages.joint_order import JointOrder

NAMES = ["a", "b", "c"]


def joint_state(names: list[str], positions: list[float]) -> SimpleNamespace:
    return SimpleNamespace(name=names, position=positions)


def test_joint_positions_are_read_in_any_order() -> None:
    order = JointOrder(("c", "a", "b"))
    for names, positions in ((NAMES, [0.1, 0.2, 0.3]), (["b", "x", "c", "a"], [0.2, 9, 0.3, 0.1])):
        found = order.positions(joint_state(names, positions))
        np.testing.assert_array_equal(found, [0.3, 0.1, 0.2])


def test_a_joint_state_that_lacks_a_joint_is_an_error() -> None:
    order = JointOrder(("a", "d"))
    for _ in range(2):
        with pytest.raises(CommandError, match="lacks d; it has a, b, c"):
            order.positions(joint_state(NAMES, [0.1, 0.2, 0.3]))


def test_a_ragged_joint_state_is_an_error() -> None:
    with pytest.raises(CommandError, match="3 names and 2 values"):
        JointOrder(("a",)).positions(joint_state(NAMES, [0.1, 0.2]))
