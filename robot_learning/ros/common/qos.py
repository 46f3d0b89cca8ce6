"""The QoS profiles of every topic, by purpose. Nothing else in the project builds one."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _keep_last(
    depth: int,
    reliability: ReliabilityPolicy,
    durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=durability,
    )


# What a publisher offers is matched against what a subscription asks for: a reliable publisher
# serves best-effort subscriptions too, and a best-effort subscription takes any publisher.

STREAM_OUT = _keep_last(5, ReliabilityPolicy.RELIABLE)
"""Publishers of joint states, poses and other small streams; every tool can subscribe."""

STREAM_IN = _keep_last(1, ReliabilityPolicy.BEST_EFFORT)
"""Subscriptions that only want the newest sample."""

JOINTS_IN = _keep_last(8, ReliabilityPolicy.BEST_EFFORT)
"""Subscriptions to joint states: arm and gripper may come one after the other, and the second
must not push the first out of the queue."""


def joints_beside(pose_count: int) -> QoSProfile:
    """Subscriptions to joint states that are put together with poses of the same stamp.

    Poses come of simulated robots, whose joints are all in one message: what waited would only be
    older than the newest poses.
    """
    return STREAM_IN if pose_count else JOINTS_IN


RECORD_IN = _keep_last(64, ReliabilityPolicy.BEST_EFFORT)
"""Subscriptions of a recorder, which wants every sample and takes many at a time."""

IMAGE_OUT = _keep_last(2, ReliabilityPolicy.RELIABLE)
"""Publishers of camera images. Reliable, since a raw frame spans many network packets."""

COMMAND = _keep_last(1, ReliabilityPolicy.RELIABLE)
"""Commands to a robot, both ends: never lost on the way, only the newest counts."""

LATCHED = _keep_last(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""State that changes seldom, both ends: a late subscriber gets the last value."""

JOY_IN = _keep_last(10, ReliabilityPolicy.BEST_EFFORT)
"""Gamepads: every press counts, so that a few samples wait for a busy node."""

EVENT = _keep_last(20, ReliabilityPolicy.RELIABLE)
"""What an operator asked for, both ends: none may be lost."""

TRANSFORMS = _keep_last(100, ReliabilityPolicy.RELIABLE)
"""`/tf`, as tf2's broadcasters and listeners have it."""

CLOCK = _keep_last(1, ReliabilityPolicy.BEST_EFFORT)
"""`/clock`, as rclpy and rclcpp subscribe to it."""

DIAGNOSTICS = _keep_last(10, ReliabilityPolicy.RELIABLE)
"""`diagnostics`, as the diagnostic tools subscribe to it."""
