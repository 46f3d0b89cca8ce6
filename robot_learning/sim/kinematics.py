"""Forward and differential inverse kinematics of one arm, on a scratch state of its own.

Small and fast, for the scripted experts: one damped least-squares step a call, closed over the
measured joints, so that the loop itself does the iterating.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_learning.core.profile import Arm
from robot_learning.core.turns import nearest_turn
from robot_learning.core.types import FloatArray
from robot_learning.sim.model import SimModel

# Keeps a step finite near a singularity. A task-space length of 1 m counts as 1 rad.
_DAMPING = 1e-5
# Share of the way to the home posture that the redundant motion takes in one step.
_POSTURE_GAIN = 0.2
# An arm with fewer joints than this, or with fewer that are not at a limit, cannot have every
# pose: there 1 rad counts as this many metres, so that the position is kept and the orientation
# gives way.
_POSE_JOINTS = 6
_SCARCE_ORIENTATION_M = 0.01
# Nor can any arm near a singularity: a joint that has to move this far (rad or m) for a small
# displacement of the hand shows that it is near one.
_LONGEST_STEP = 1.0
# So does a step that leaves this share of a displacement undone.
_MISSING_SHARE, _NEARLY_M = 0.5, 1e-3


class ArmKinematics:
    """Kinematics of one arm: where its end effector is, and which joint step moves it.

    Joint vectors here hold the arm's m joints in the order of `arm.joints`.
    """

    def __init__(self, simulation: SimModel, arm: Arm) -> None:
        profile = simulation.profile
        self.indices = np.array(profile.joint_indices(arm.joints))
        self.position_min = profile.position_min[self.indices]
        self.position_max = profile.position_max[self.indices]
        self.home: FloatArray = profile.home[self.indices]
        continuous = np.array([profile.joints[index].continuous for index in self.indices])
        self._continuous = continuous if continuous.any() else None
        self._model = simulation.mj_model
        self._data = mujoco.MjData(self._model)
        self._site: int = self._model.site(arm.end_effector_name).id
        self._qpos = simulation.qpos_addresses[self.indices]
        self._dofs = simulation.dof_addresses[self.indices]
        self._position = self._data.site_xpos[self._site]
        self._rotation = self._data.site_xmat[self._site]
        self._linear = np.empty((3, self._model.nv))
        self._angular = np.empty((3, self._model.nv))
        self._jacobian = np.empty((6, len(self.indices)))
        self._scarce = len(self.indices) < _POSE_JOINTS
        rotation = _SCARCE_ORIENTATION_M if self._scarce else 1.0
        self._weight = np.array([1.0] * 3 + [rotation] * 3)
        self._damping = _DAMPING * np.eye(6)
        self._quaternions = np.empty((3, 4))
        self._posture_gain = _POSTURE_GAIN if len(self.indices) > _POSE_JOINTS else 0.0

    def forward(self, joint_position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position (3,) and rotation matrix (3, 3) of the end effector, world frame.

        Both are views that the next call overwrites.
        """
        self._data.qpos[self._qpos] = joint_position
        mujoco.mj_kinematics(self._model, self._data)
        return self._position, self._rotation.reshape(3, 3)

    def home_beside(self, joint_position: FloatArray) -> FloatArray:
        """(m,) the home position, its continuous joints in the turn nearest to `joint_position`."""
        if self._continuous is None:
            return self.home
        home: FloatArray = np.where(
            self._continuous, nearest_turn(self.home, joint_position), self.home
        )
        return home

    def rotation_to(self, quaternion: FloatArray) -> FloatArray:
        """(3,) rotation vector, world frame, from the last `forward` to `quaternion` (wxyz)."""
        current, inverse, difference = self._quaternions
        mujoco.mju_mat2Quat(current, self._rotation)
        mujoco.mju_negQuat(inverse, current)
        mujoco.mju_mulQuat(difference, quaternion, inverse)
        vector = np.empty(3)
        mujoco.mju_quat2Vel(vector, difference, 1.0)
        return vector

    def joint_step(self, joint_position: FloatArray, twist: FloatArray) -> FloatArray:
        """(m,) joint step for a small displacement of the end effector.

        Valid after `forward` with the same `joint_position`. A redundant arm drifts towards its
        home posture in the motion that the end effector does not feel.

        Args:
            joint_position: (m,) rad or m.
            twist: (6,) translation in metres, then rotation vector in radians, world frame.
        """
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._linear, self._angular, self._site)
        jacobian = self._jacobian
        jacobian[:3] = self._linear[:, self._dofs]
        jacobian[3:] = self._angular[:, self._dofs]
        jacobian *= self._weight[:, None]
        wanted = self._weight * twist
        low, high = self.position_min - joint_position, self.position_max - joint_position
        step, scarce = self._solve(jacobian, joint_position, wanted), self._scarce
        blocked = np.zeros(len(step), bool)
        while True:
            beyond = ~blocked & ((step < low) | (step > high))
            is_singular = not scarce and self._is_singular(jacobian, step, wanted)
            if not (is_singular or beyond.any()):
                return step
            if not is_singular:
                # A joint that stands at its limit moves no further, and the others do its share.
                blocked |= beyond
            few = blocked.size - np.count_nonzero(blocked) < _POSE_JOINTS
            if is_singular or (few and not scarce):
                scarce = True
                jacobian[3:] *= _SCARCE_ORIENTATION_M
                wanted[3:] *= _SCARCE_ORIENTATION_M
            held = np.where(blocked, np.minimum(np.maximum(step, low), high), 0.0)
            rest = self._solve(
                np.where(blocked, 0.0, jacobian), joint_position, wanted - jacobian @ held
            )
            step = np.where(blocked, held, rest)

    def _is_singular(self, jacobian: FloatArray, step: FloatArray, wanted: FloatArray) -> bool:
        """Whether the joints have to move far for little, or hardly bring the hand nearer."""
        if float(np.abs(step).max()) > _LONGEST_STEP:
            return True
        missing_m = float(np.linalg.norm((jacobian @ step - wanted)[:3]))
        return missing_m > max(_MISSING_SHARE * float(np.linalg.norm(wanted[:3])), _NEARLY_M)

    def _solve(
        self, jacobian: FloatArray, joint_position: FloatArray, twist: FloatArray
    ) -> FloatArray:
        """(m,) the damped least-squares step, and the posture in what it leaves free."""
        square = jacobian @ jacobian.T + self._damping
        away = self.home_beside(joint_position) - joint_position
        posture: FloatArray = self._posture_gain * away
        step: FloatArray = posture + jacobian.T @ np.linalg.solve(
            square, twist - jacobian @ posture
        )
        return step


def down_quaternion(closing_rad: float) -> FloatArray:
    """(4,) end effector pointing down, fingers closing along the angle `closing_rad` about z."""
    half = (closing_rad - np.pi / 2) / 2
    return np.array([0.0, -np.sin(half), np.cos(half), 0.0])


def tilt_of(rotation: FloatArray) -> float:
    """Angle between the approach direction of a rotation matrix (3, 3) and straight down."""
    return float(np.arccos(min(1.0, max(-1.0, -rotation[2, 2]))))
