"""Rigid transforms between frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import mujoco
import numpy as np

from robot_learning.core.types import FloatArray


def _zeros() -> FloatArray:
    return np.zeros(3)


def _identity() -> FloatArray:
    return np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Transform:
    """The pose of a frame in its parent frame.

    Attributes:
        position: (3,) metres.
        quaternion: (4,) unit quaternion w x y z.
    """

    position: FloatArray = field(default_factory=_zeros)
    quaternion: FloatArray = field(default_factory=_identity)

    @staticmethod
    def turn(axis: FloatArray, angle_rad: float) -> Transform:
        """A rotation about an axis (3,) of unit length through the origin."""
        quaternion = np.empty(4)
        mujoco.mju_axisAngle2Quat(quaternion, axis, angle_rad)
        return Transform(quaternion=quaternion)

    def __matmul__(self, inner: Transform) -> Transform:
        """The pose of a frame that has the pose `inner` in this frame."""
        position, quaternion = np.empty(3), np.empty(4)
        mujoco.mju_mulPose(
            position, quaternion, self.position, self.quaternion, inner.position, inner.quaternion
        )
        return Transform(position, quaternion)

    def inverse(self) -> Transform:
        """The pose of the parent frame in this frame."""
        position, quaternion = np.empty(3), np.empty(4)
        mujoco.mju_negPose(position, quaternion, self.position, self.quaternion)
        return Transform(position, quaternion)

    @property
    def rotation(self) -> FloatArray:
        """(3, 3) rotation matrix."""
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, self.quaternion)
        return matrix.reshape(3, 3)

    @property
    def is_identity(self) -> bool:
        """Whether the two frames coincide exactly."""
        return not self.position.any() and not self.quaternion[1:].any()
