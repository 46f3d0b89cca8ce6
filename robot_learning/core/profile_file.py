"""The form of `robot.yaml`: its keys, their types and ranges; hardware/README.md describes them.

What has the same form in a profile is that part of the profile itself.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from robot_learning.core.decoding import Names, Text
from robot_learning.core.options.numbers import Positive
from robot_learning.core.profile import (
    BusInterface,
    Camera,
    Frame,
    Joint,
    JointKind,
    Leader,
    Ros2ControlInterface,
    SimInterface,
    Workspace,
)

Range = tuple[float, float]


class RevoluteEntry(Struct, frozen=True, kw_only=True, tag_field="kind", tag="revolute"):
    """A joint that turns; without limits where it is continuous."""

    name: Text
    position_rad: Range | None = None
    continuous: bool = False
    velocity_rad_s: Positive
    acceleration_rad_s2: Positive
    effort_nm: Positive
    home_rad: float = 0.0

    def joint(self) -> Joint:
        """The joint of a profile."""
        low, high = self.position_rad or (-math.inf, math.inf)
        return Joint(
            name=self.name,
            kind=JointKind.REVOLUTE,
            position_min=low,
            position_max=high,
            velocity_max=self.velocity_rad_s,
            acceleration_max=self.acceleration_rad_s2,
            effort_max=self.effort_nm,
            home=self.home_rad,
            continuous=self.continuous,
        )


class PrismaticEntry(Struct, frozen=True, kw_only=True, tag_field="kind", tag="prismatic"):
    """A joint that slides; `continuous` is a key only to be refused with its reason."""

    name: Text
    position_m: Range
    continuous: bool = False
    velocity_m_s: Positive
    acceleration_m_s2: Positive
    effort_n: Positive
    home_m: float = 0.0

    def joint(self) -> Joint:
        """The joint of a profile."""
        low, high = self.position_m
        return Joint(
            name=self.name,
            kind=JointKind.PRISMATIC,
            position_min=low,
            position_max=high,
            velocity_max=self.velocity_m_s,
            acceleration_max=self.acceleration_m_s2,
            effort_max=self.effort_n,
            home=self.home_m,
        )


class GripperEntry(Struct, frozen=True, kw_only=True):
    """A gripper; which unit its values have is known from its joint."""

    joint: Text
    open_rad: float | None = None
    open_m: float | None = None
    closed_rad: float | None = None
    closed_m: float | None = None
    clear_width_m: Positive

    def value(self, state: Literal["open", "closed"], unit: str) -> float | None:
        """The joint's value in a state; None where it is not given in that unit."""
        values = {"open": (self.open_rad, self.open_m), "closed": (self.closed_rad, self.closed_m)}
        return values[state][unit == "m"]


class ArmEntry(Struct, frozen=True, kw_only=True):
    """One kinematic chain."""

    name: Text
    joints: Names
    end_effector: Frame
    gripper: GripperEntry | None = None
    workspace_m: Workspace


class Interfaces(Struct, frozen=True, kw_only=True):
    """Through which others reach the joints."""

    sim: SimInterface | None = None
    real: Ros2ControlInterface | BusInterface | None = None


class RobotFile(Struct, frozen=True, kw_only=True):
    """All of a `robot.yaml`."""

    schema_version: int
    name: Text
    description: Text = "no description"
    control_rate_hz: Positive
    joints: tuple[RevoluteEntry | PrismaticEntry, ...]
    arms: tuple[ArmEntry, ...]
    cameras: tuple[Camera, ...] = ()
    interfaces: Interfaces
    leaders: tuple[Leader, ...] = ()
