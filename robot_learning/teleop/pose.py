"""Arithmetic on poses (7,): x y z in metres and a unit quaternion w x y z, world frame."""

from __future__ import annotations

import math

import numpy as np

from robot_learning.core.types import FloatArray


def length(vector: FloatArray) -> float:
    """The Euclidean norm of a short vector."""
    return math.sqrt(vector @ vector)


def multiply(left: FloatArray, right: FloatArray) -> FloatArray:
    """The product of two quaternions (4,): the rotation `right` followed by `left`."""
    # Python floats: several times faster than NumPy scalars at this size.
    w, x, y, z = left.tolist()
    a, b, c, d = right.tolist()
    return np.array(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ]
    )


def from_rotation_vector(rotation_rad: FloatArray) -> FloatArray:
    """The quaternion (4,) of a rotation about the axis of `rotation_rad` (3,) by its length."""
    angle_rad = length(rotation_rad)
    # sin(a/2)/a, with its limit 1/2 where the division loses its meaning.
    ratio = math.sin(0.5 * angle_rad) / angle_rad if angle_rad > 1e-9 else 0.5
    quaternion = np.empty(4)
    quaternion[0] = math.cos(0.5 * angle_rad)
    quaternion[1:] = rotation_rad
    quaternion[1:] *= ratio
    return quaternion


def to_rotation_vector(quaternion: FloatArray) -> FloatArray:
    """The rotation vector (3,) of a unit quaternion, the short way round."""
    if quaternion[0] < 0.0:
        quaternion = -quaternion
    sine = length(quaternion[1:])
    if sine < 1e-9:
        return 2.0 * quaternion[1:]
    vector: FloatArray = quaternion[1:] * (2.0 * math.atan2(sine, quaternion[0]) / sine)
    return vector


def rotation_between(start: FloatArray, end: FloatArray) -> FloatArray:
    """The rotation vector (3,), world frame, that turns quaternion `start` into `end`."""
    conjugate = start * np.array([1.0, -1.0, -1.0, -1.0])
    return to_rotation_vector(multiply(end, conjugate))


def displace(pose: FloatArray, linear_m: FloatArray, rotation_rad: FloatArray) -> FloatArray:
    """The pose moved by `linear_m` (3,) and turned by `rotation_rad` (3,), about world axes.

    Args:
        pose: (7,) the pose.
        linear_m: (3,) displacement along the world's axes.
        rotation_rad: (3,) rotation vector about the world's axes.
    """
    quaternion = multiply(from_rotation_vector(rotation_rad), pose[3:])
    return np.concatenate([pose[:3] + linear_m, quaternion / length(quaternion)])


def move_towards(start: FloatArray, end: FloatArray, max_m: float, max_rad: float) -> FloatArray:
    """The pose on the way from `start` to `end`, no further from `start` than the bounds.

    Args:
        start: (7,) where to begin.
        end: (7,) where to go.
        max_m: largest displacement.
        max_rad: largest rotation.
    """
    way_m = end[:3] - start[:3]
    way_rad = rotation_between(start[3:], end[3:])
    return displace(start, _shortened(way_m, max_m), _shortened(way_rad, max_rad))


def pose_error(pose: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Distance in metres and angle in radians between two poses."""
    rotation_rad = rotation_between(pose[3:], target[3:])
    return length(target[:3] - pose[:3]), length(rotation_rad)


def _shortened(vector: FloatArray, longest: float) -> FloatArray:
    long = length(vector)
    return vector if long <= longest else vector * (longest / long)
