"""Observations of a simulated robot as dictionaries of arrays, and their gymnasium space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from robot_learning.core.features import HELD_COMMAND
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.sim.model import CameraView, SimModel
from robot_learning.sim.world import World


def observed_names(simulation: SimModel, objects: Sequence[str]) -> tuple[str, ...]:
    """The poses in an observation: every end effector, then the task's objects."""
    return (*simulation.end_effector_names, *objects)


def action_space(profile: RobotProfile) -> spaces.Box:
    """Joint position targets (n,) float32 within the joint limits, rad or m."""
    # Rounded inwards, so that a target at the bound lies within the float64 limits.
    low, high = profile.position_min, profile.position_max
    low32, high32 = low.astype(np.float32), high.astype(np.float32)
    low32 = np.where(low32 < low, np.nextafter(low32, np.float32(np.inf)), low32)
    high32 = np.where(high32 > high, np.nextafter(high32, np.float32(-np.inf)), high32)
    return spaces.Box(low32, high32, dtype=np.float32)


def observation_space(
    profile: RobotProfile,
    poses: Sequence[str],
    cameras: Sequence[CameraView],
    has_command: bool = False,
) -> spaces.Dict:
    """The space of an observation: float32 vectors, and uint8 images (height, width, 3).

    Args:
        profile: the robot.
        poses: names of the observed poses.
        cameras: the observed cameras.
        has_command: whether the held joint targets are observed.
    """
    joints = spaces.Box(-np.inf, np.inf, (len(profile.joints),), np.float32)
    pose = spaces.Box(-np.inf, np.inf, (7,), np.float32)
    entries: dict[str, spaces.Space[Any]] = {"joint_position": joints, "joint_velocity": joints}
    if has_command:
        entries[HELD_COMMAND] = joints
    entries |= dict.fromkeys(poses, pose)
    for camera in cameras:
        shape = (camera.height_px, camera.width_px, 3)
        entries[camera.name] = spaces.Box(0, 255, shape, np.uint8)
    return spaces.Dict(entries)


def read_values(world: World, poses: Sequence[str]) -> dict[str, FloatArray]:
    """The float64 values of an observation, and what a task's success and reward read."""
    values = {"joint_position": world.joint_position, "joint_velocity": world.joint_velocity}
    for name in poses:
        values[name] = world.pose(name)
    return values


def observation_dict(observation: Observation) -> dict[str, Any]:
    """The environments' dictionary from a robot's `Observation`, in float64."""
    entries: dict[str, Any] = {
        "joint_position": observation.joint_position,
        "joint_velocity": observation.joint_velocity,
    }
    entries.update(observation.poses)
    entries.update({name: image.pixels for name, image in observation.images.items()})
    return entries


def as_float32(values: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The values as an environment returns them."""
    return {name: value.astype(np.float32) for name, value in values.items()}
