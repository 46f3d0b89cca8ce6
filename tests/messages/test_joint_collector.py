"""Joints that come in several messages of one topic."""

import numpy as np
import pytest

from robot_learning.core.errors import CommandError
from robot_learning.messages.joint_collector import JointCollector

NAMES = ("a", "b", "grip")


def take(collector: JointCollector, names: str, values: list[float], at_ns: int, velocity=()):
    return collector.take(names.split(), (values, velocity, ()), at_ns, at_ns + 5)


def test_one_message_of_all_joints_is_a_sample_in_the_robot_s_order() -> None:
    sample = take(JointCollector(NAMES), "grip x b a", [3, 9, 2, 1], 100, [30, 90, 20, 10])
    assert sample.position.tolist() == [1, 2, 3] and sample.velocity.tolist() == [10, 20, 30]
    assert np.isnan(sample.effort).all()
    assert (sample.stamp_ns, sample.receive_ns, sample.oldest_receive_ns) == (100, 105, 105)


def test_joints_are_collected_and_as_old_as_the_oldest() -> None:
    collector = JointCollector(NAMES)
    assert take(collector, "b a", [2, 1], 100, [20, 10]) is None
    assert collector.missing == ("grip",)
    assert collector.lacking(["b", "a"]) == "joint state lacks grip; it has b, a"
    sample = take(collector, "grip", [3], 102)
    assert sample.position.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(sample.velocity, [10, 20, np.nan])
    assert (sample.stamp_ns, sample.receive_ns, sample.oldest_receive_ns) == (100, 107, 105)
    # The arm goes on, the gripper's driver has died: the sample grows old.
    for at_ns in (200, 300):
        sample = take(collector, "a b", [5, 6], at_ns)
        assert (sample.stamp_ns, sample.oldest_receive_ns) == (102, 107)
        assert sample.receipts_ns.tolist() == [at_ns + 5, at_ns + 5, 107]
    assert sample.position.tolist() == [5, 6, 3]
    assert collector.overdue(["a", "b"], 305, 1.0) == ""
    assert collector.overdue(["a", "b"], 2_000_000_107, 1.9) == (
        "joint state lacks a, b, grip, last heard 2.00 s before; it has a, b"
    )
    assert collector.missing == ()
    collector.forget()
    assert take(collector, "grip", [3], 400) is None


def test_samples_are_not_changed_by_later_messages() -> None:
    collector = JointCollector(NAMES)
    values = np.array([1.0, 2.0, 3.0])
    first = collector.take(NAMES, (values, (), ()), 1, 1)
    values[:] = 0.0
    take(collector, "a", [7], 2)
    assert first.position.tolist() == [1, 2, 3]


def test_messages_of_other_joints_are_passed_over_and_bad_ones_refused() -> None:
    collector = JointCollector(NAMES)
    assert take(collector, "wheel", [1], 1) is None
    assert take(collector, "", [], 1) is None
    with pytest.raises(CommandError, match="names 'a' twice"):
        take(collector, "a a", [1, 2], 1)
    with pytest.raises(CommandError, match="has 2 names and 1 value"):
        take(collector, "a b", [1], 1)
    with pytest.raises(CommandError, match="has 1 name and 0 values"):
        take(collector, "a", [], 1)
    with pytest.raises(CommandError, match="has 3 names and 2 values"):
        take(collector, "a b grip", [1, 2, 3], 1, [1, 2])
