"""Reads and checks `robot.yaml`. The keys are described in hardware/README.md."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from robot_learning.core.draft import draft
from robot_learning.core.errors import ProfileError
from robot_learning.core.profile import (
    Arm,
    BusInterface,
    Camera,
    Frame,
    Gripper,
    Quaternion,
    RobotProfile,
    Ros2ControlInterface,
)
from robot_learning.core.profile_file import ArmEntry, GripperEntry, RobotFile
from robot_learning.core.profile_rules import profile_mistakes
from robot_learning.core.resources import find_robot
from robot_learning.core.yaml_file import read_yaml


def load_profile(robot: str | os.PathLike[str]) -> RobotProfile:
    """Load a robot by name, folder or path of its `robot.yaml`.

    Raises:
        ConfigurationError: no such robot; the text lists those there are.
        ProfileError: the file is wrong; the text names the file, the key and what is valid, of
            the first mistake; the error has all that one pass finds.
    """
    path = find_robot(robot)
    read = draft(read_yaml(path, ProfileError), RobotFile)
    if mistakes := profile_mistakes(read, path.parent):
        raise ProfileError(*(f"{path}: {mistake}" for mistake in mistakes))
    return _profile(read.value, path)


def _profile(file: RobotFile, path: Path) -> RobotProfile:
    sim, names = file.interfaces.sim, tuple(entry.name for entry in file.joints)
    return RobotProfile(
        name=file.name,
        path=path,
        description=file.description,
        control_rate_hz=file.control_rate_hz,
        joints=tuple(entry.joint() for entry in file.joints),
        arms=tuple(_arm(entry) for entry in file.arms),
        cameras=tuple(_camera(camera) for camera in file.cameras),
        sim=sim and replace(sim, mjcf=path.parent / sim.mjcf),
        real=_real(file.interfaces.real, names),
        leaders=file.leaders,
    )


def _arm(entry: ArmEntry) -> Arm:
    return Arm(
        name=entry.name,
        joints=entry.joints,
        end_effector=_frame(entry.end_effector),
        gripper=_gripper(entry.gripper) if entry.gripper else None,
        workspace=entry.workspace_m,
    )


def _gripper(entry: GripperEntry) -> Gripper:
    opened = next(each for each in (entry.open_rad, entry.open_m) if each is not None)
    closed = next(each for each in (entry.closed_rad, entry.closed_m) if each is not None)
    return Gripper(entry.joint, opened, closed, entry.clear_width_m)


def _camera(camera: Camera) -> Camera:
    if camera.pose is None:
        return camera
    quaternion = _unit(camera.pose.quaternion_wxyz)
    return replace(camera, pose=replace(camera.pose, quaternion_wxyz=quaternion))


def _frame(frame: Frame) -> Frame:
    return replace(frame, quaternion_wxyz=_unit(frame.quaternion_wxyz))


def _unit(quaternion: Quaternion) -> Quaternion:
    w, x, y, z = quaternion
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    return (w / norm, x / norm, y / norm, z / norm)


def _real(
    real: Ros2ControlInterface | BusInterface | None, names: tuple[str, ...]
) -> Ros2ControlInterface | BusInterface | None:
    """The interface; a controller takes all joints where none are named."""
    if isinstance(real, Ros2ControlInterface) and not real.joints:
        return structs.replace(real, joints=names)
    return real
