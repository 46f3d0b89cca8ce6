"""Descriptions of arrays: what a robot senses and takes, known before it is connected."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.core.profile import RobotProfile


@dataclass(frozen=True, slots=True)
class Feature:
    """One named array: its shape, NumPy dtype name, unit, and the name of each element.

    `names` is empty for images and otherwise has one entry an element (C order).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    names: tuple[str, ...] = ()


HELD_COMMAND = "held_command"
"""The joint targets that are being held, (n,) rad or m: observed where actions change them."""
POSE_ELEMENTS = ("x", "y", "z", "qw", "qx", "qy", "qz")


def joint_features(profile: RobotProfile) -> tuple[Feature, ...]:
    """The joint arrays of an observation: position, velocity and effort, each (n,)."""
    names = profile.joint_names
    return tuple(
        Feature(f"joint_{quantity}", (len(names),), "float64", "SI", names)
        for quantity in ("position", "velocity", "effort")
    )


def action_feature(profile: RobotProfile) -> Feature:
    """The action: a position target for every joint, (n,) rad or m."""
    names = profile.joint_names
    return Feature("action", (len(names),), "float64", "SI", names)


def image_feature(camera: str, height_px: int, width_px: int) -> Feature:
    """An RGB camera image, (height, width, 3) uint8.

    Args:
        camera: name of the camera.
        height_px: number of rows.
        width_px: number of columns.
    """
    return Feature(camera, (height_px, width_px, 3), "uint8", "intensity")


def pose_feature(name: str) -> Feature:
    """A world pose, (7,): metres and a unit quaternion w x y z."""
    return Feature(name, (7,), "float64", "m, quaternion", POSE_ELEMENTS)
