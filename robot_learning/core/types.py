"""The values that flow between robots, devices, policies and the arbiter.

Joint vectors always follow the order of `RobotProfile.joint_names` and include the gripper
joints. Units are radians (revolute) or metres (prismatic) and their SI derivatives. Times are
nanoseconds of the clock that the producer was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Image:
    """One camera frame: `pixels` uint8 (height, width, 3) RGB, taken at `stamp_ns`."""

    stamp_ns: int
    pixels: UInt8Array


@dataclass(frozen=True, slots=True)
class Observation:
    """What a robot senses at one instant.

    Attributes:
        stamp_ns: when the joints were read.
        joint_position: (n,) rad or m.
        joint_velocity: (n,) rad/s or m/s.
        joint_effort: (n,) N·m or N; NaN where the robot does not measure it.
        poses: named poses in the world frame, each (7,): x y z in metres, then the unit
            quaternion w x y z. End effectors are named `<arm>_end_effector`; in simulation the
            task's objects are there too.
        images: the newest frame of each camera that has one; each carries its own stamp.
    """

    stamp_ns: int
    joint_position: FloatArray
    joint_velocity: FloatArray
    joint_effort: FloatArray
    poses: Mapping[str, FloatArray] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """A position target for every joint, `position` (n,) rad or m, meant for `stamp_ns`."""

    stamp_ns: int
    position: FloatArray
