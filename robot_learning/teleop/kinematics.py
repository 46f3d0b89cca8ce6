"""What inverse kinematics answers, and the interface that the controller calls it through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from robot_learning.core.types import FloatArray


class Obstacle(Enum):
    """Why an end effector does not follow its target."""

    WORKSPACE = "edge of the workspace"
    JOINT_LIMIT = "joint limit"
    SPEED = "joint speed limit"
    SINGULAR = "singular pose"
    UNREACHABLE = "out of reach"
    INVALID = "target is not finite"


@dataclass(frozen=True, slots=True, eq=False)
class ArmSolution:
    """How one arm follows.

    Attributes:
        pose: (7,) the end effector after this step, world frame.
        target: (7,) the target after the workspace box, world frame.
        position_error_m: distance left to `target` after this step.
        orientation_error_rad: rotation left to `target` after this step.
        obstacles: why the arm does not follow; empty while it does.
        joints: names of the joints at a limit.
    """

    pose: FloatArray
    target: FloatArray
    position_error_m: float
    orientation_error_rad: float
    obstacles: frozenset[Obstacle]
    joints: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """One step: `position` (n,) rad or m to command next, and each moved arm's outcome."""

    position: FloatArray
    arms: Mapping[str, ArmSolution]


class Kinematics(Protocol):
    """Forward and inverse kinematics of a whole robot."""

    def forward(self, position: FloatArray) -> Mapping[str, FloatArray]:
        """Arm -> end-effector pose (7,) in the world frame, for joint positions (n,)."""
        ...

    def solve(
        self, position: FloatArray, targets: Mapping[str, FloatArray], dt_s: float
    ) -> Solution:
        """One bounded step from `position` (n,) towards the target poses.

        Args:
            position: (n,) where the command stands, rad or m.
            targets: pose (7,) of each arm's end effector in the world frame; arms without one do
                not move.
            dt_s: duration of the step.
        """
        ...
