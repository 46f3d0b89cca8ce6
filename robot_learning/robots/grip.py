"""A gripper that has closed on something holds it, rather than go on pressing until it burns."""

from __future__ import annotations

from typing import NamedTuple

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile import Gripper

PRESSING_SHARE = 0.8
"""The share of the torque that it may use, from which on a gripper counts as pressing."""


class JawState(NamedTuple):
    """What is known of a gripper now.

    Attributes:
        stamp_ns: when it was measured.
        position: where it is, rad or m.
        velocity: its speed, rad/s or m/s.
        torque_share: share of the largest torque that its servo uses, 0 to 1.
    """

    stamp_ns: int
    position: float
    velocity: float
    torque_share: float


class GripHold:
    """Decides where a gripper is sent.

    It is held once it has pressed for a while without moving: with its goal a little beyond where
    it stands, so that it does not let go. It closes on when what it held has slipped, and opens
    whenever it is told to.
    """

    def __init__(
        self, gripper: Gripper, *, stall_s: float, torque_limit: float, squeeze: float
    ) -> None:
        """Start with an open hand.

        Args:
            gripper: gripper of the profile.
            stall_s: seconds of pressing without moving, after which it holds.
            torque_limit: share of the largest torque that it may use.
            squeeze: how far beyond where it stands it is sent to hold, rad or m.
        """
        self._closing = 1.0 if gripper.closed > gripper.open else -1.0
        self._stall_ns = round(stall_s * NS_PER_S)
        self._pressing_share = PRESSING_SHARE * torque_limit
        self._squeeze = squeeze
        self._still = squeeze / stall_s
        self._since_ns: int | None = None
        self._held: float | None = None

    @property
    def is_holding(self) -> bool:
        """Whether it holds something."""
        return self._held is not None

    def goal(self, wanted: float, jaw: JawState) -> float:
        """Where to send it, rad or m, by where it is to go and what it does."""
        if self._held is not None:
            opens = self._closing * (wanted - self._held) < 0.0
            slipped = self._closing * (self._held - jaw.position) <= 0.0
            if not (opens or slipped):
                return self._held
            self._held = self._since_ns = None
        beyond = self._closing * (wanted - jaw.position)
        stalled = abs(jaw.velocity) < self._still and jaw.torque_share >= self._pressing_share
        if beyond <= self._squeeze or not stalled:
            self._since_ns = None
            return wanted
        if self._since_ns is None:
            self._since_ns = jaw.stamp_ns
        if jaw.stamp_ns - self._since_ns < self._stall_ns:
            return wanted
        self._held = jaw.position + self._closing * self._squeeze
        return self._held
