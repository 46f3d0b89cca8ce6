"""How far a leader may move between two of its messages, and the turns of its joints.

A person moves a leader's joint somewhat faster than the follower's may go; a slipped horn or a
servo that started again moves it at once. While a leader drives, each joint's reading is followed
at a bounded speed; what is then left of the way has to stay small, or the joint has jumped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.core.types import FloatArray

FASTER = 3.0
"""Speed that a leader's joint may have, as a multiple of the follower's speed limit."""
LATE_S = 0.02
"""What a joint covers at that speed in this time may arrive at once: messages come in bunches."""
LONGEST_S = 0.1
"""A longer pause between two messages allows no longer way."""
SQUEEZE_S = 0.06
"""A trigger is squeezed from open to closed in no less."""
SQUEEZED_AT_ONCE = 0.25
"""The share of its travel by which a trigger may be ahead of that."""


@dataclass(frozen=True, eq=False)
class LeaderMotion:
    """The bounds of a robot's leaders, by follower joint.

    Attributes:
        rules: the turns of the follower's joints.
        speed: (n,) rad/s or m/s.
        slack: (n,) rad or m.
        names: (n,) of the leader's joint; empty where no leader drives the joint.
    """

    rules: TurnRules
    speed: FloatArray
    slack: FloatArray
    names: tuple[str, ...]

    @classmethod
    def of(cls, profile: RobotProfile) -> LeaderMotion:
        """From the follower's speed limits and the leaders' sections."""
        names = [""] * len(profile.joints)
        speed = FASTER * profile.velocity_max
        slack = LATE_S * speed
        for leader in profile.leaders:
            for joint in leader.joints:
                index = profile.joint_index(joint.follower)
                names[index] = joint.leader
                # A jump is never smaller than a difference that may be engaged with, or nearly.
                slack[index] = min(slack[index], 0.5 * leader.engage_within_rad)
            gripper = profile.arm(leader.arm).gripper
            if leader.gripper and gripper:
                index = profile.joint_index(gripper.joint)
                names[index] = leader.gripper.leader
                travel = abs(gripper.closed - gripper.open)
                speed[index] = max(speed[index], travel / SQUEEZE_S)
                slack[index] = max(slack[index], SQUEEZED_AT_ONCE * travel)
        return cls(TurnRules.of(profile), speed, slack, tuple(names))

    def follow(
        self, followed: FloatArray, target: FloatArray, elapsed_s: FloatArray
    ) -> tuple[FloatArray, str]:
        """Follow a reading at the bounded speed.

        Args:
            followed: (n,) where the leaders were followed to.
            target: (n,) where the leaders say that the joints are; NaN where no leader drives.
            elapsed_s: (n,) since the message before.

        Returns:
            (n,) where they are followed to now, and which joint has jumped (else empty).
        """
        way = np.nan_to_num(target - followed)
        furthest = self.speed * np.clip(elapsed_s, 0.0, LONGEST_S)
        step = np.clip(way, -furthest, furthest)
        excess = (np.abs(way - step) - self.slack) / self.slack
        worst = int(excess.argmax())
        if excess[worst] <= 0.0:
            return followed + step, ""
        jump = f"jumped by {way[worst]:+.2f} within {max(0.0, elapsed_s[worst]):.2f} s"
        return followed, f"{self.rules.names[worst]}: the leader's '{self.names[worst]}' {jump}"
