"""Poses in messages, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray


def pose_array(message: Any) -> FloatArray:
    """The pose of a PoseStamped: (7,) x y z in metres, then the quaternion w x y z."""
    position, orientation = message.pose.position, message.pose.orientation
    return np.array(
        [
            *(position.x, position.y, position.z),
            *(orientation.w, orientation.x, orientation.y, orientation.z),
        ]
    )
