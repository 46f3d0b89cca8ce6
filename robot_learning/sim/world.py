"""One simulated robot in its scene: joints in, joints and poses out, exact save and restore."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import (
    CommandError,
    ConfigurationError,
    RobotLearningError,
    unknown_choice,
)
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.sim.composition import PREFIX
from robot_learning.sim.model import SimModel, home_qpos, robot_dofs

# Bodies that overlap by less than this merely lie against each other.
_TOUCH_M = 5e-4
# What is nearer to the end effector's origin than this share of the clear width is in the hand.
_HAND_SHARE = 0.25
_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)


class World:
    """A MuJoCo simulation that is stepped by whole control periods.

    Each control period starts the constraint solver afresh, so that its result is a function of
    the physics state and the command alone: worlds that were restored, or that are stepped in
    a batch, agree bit for bit.

    Not safe to share between threads.
    """

    def __init__(self, simulation: SimModel, control_rate_hz: float | None = None) -> None:
        """Make a world at its home position.

        Args:
            simulation: the composed scene; its model is copied.
            control_rate_hz: control periods a second; None for the profile's.
        """
        rate_hz = simulation.profile.control_rate_hz if control_rate_hz is None else control_rate_hz
        self.simulation = simulation.at_rate(rate_hz)
        self.mj_model = self.simulation.mj_model
        self.mj_data = mujoco.MjData(self.mj_model)
        self.control_period_s = 1.0 / rate_hz
        profile = self.simulation.profile
        self._position_min, self._position_max = profile.position_min, profile.position_max
        self._largest_move = profile.velocity_max * self.control_period_s
        self._previous = profile.home.copy()
        self._effort = np.zeros(len(profile.joints))
        self._state_size = mujoco.mj_stateSize(self.mj_model, _STATE)
        self._home_qpos = home_qpos(self.simulation)
        self._robot_dofs = robot_dofs(self.mj_model)
        self._readers = self._pose_readers()
        self.reset()

    @property
    def profile(self) -> RobotProfile:
        """The robot's profile."""
        return self.simulation.profile

    @property
    def pose_names(self) -> tuple[str, ...]:
        """Every name that `pose` knows: end effectors, then the scene's bodies."""
        return tuple(self._readers)

    @property
    def time_s(self) -> float:
        """Simulated seconds since the last reset."""
        return float(self.mj_data.time)

    @property
    def joint_position(self) -> FloatArray:
        """(n,) rad or m."""
        position: FloatArray = self.mj_data.qpos[self.simulation.qpos_addresses]
        return position

    @property
    def joint_velocity(self) -> FloatArray:
        """(n,) rad/s or m/s."""
        velocity: FloatArray = self.mj_data.qvel[self.simulation.dof_addresses]
        return velocity

    @property
    def joint_effort(self) -> FloatArray:
        """(n,) what the servos applied in the last physics step, N·m or N."""
        return np.array(self._effort)

    @property
    def command(self) -> FloatArray:
        """(n,) the joint targets that are being held, rad or m."""
        return np.array(self._previous)

    def reset(self, joint_position: npt.ArrayLike | None = None) -> None:
        """Go to `joint_position` (n,), None for home, at rest; scene objects to their MJCF poses.

        The command to hold becomes that position.
        """
        mujoco.mj_resetData(self.mj_model, self.mj_data)
        self.mj_data.qpos[:] = self._home_qpos
        start = self.profile.home if joint_position is None else joint_position
        self.set_joint_position(start)

    def set_joint_position(self, joint_position: npt.ArrayLike) -> None:
        """Put the robot at `joint_position` (n,), at rest, holding that position.

        Raises:
            CommandError: wrong size, or not finite.
        """
        position = self._checked(joint_position)
        position = np.minimum(np.maximum(position, self._position_min), self._position_max)
        actuation = self.simulation.actuation
        actuation.place_joints(self.mj_data.qpos, position)
        self.mj_data.qvel[self._robot_dofs] = 0.0
        self._previous = position
        self.mj_data.ctrl[:] = actuation.controls(position)
        if self.mj_model.na:
            self._settle_activations()
        self._effort[:] = 0.0
        self._update_kinematics()

    def set_joint_velocity(self, joint_velocity: npt.ArrayLike) -> None:
        """Let the robot's joints move at `joint_velocity` (n,), rad/s or m/s, where they are.

        Raises:
            CommandError: wrong size, or not finite.
        """
        self.mj_data.qvel[self.simulation.dof_addresses] = self._checked(joint_velocity)
        self._update_kinematics()

    def apply(self, position: npt.ArrayLike) -> FloatArray:
        """Take a position target for every joint, as a servo drive does.

        Args:
            position: (n,) rad or m.

        Returns:
            (n,) what was taken: `position` within the joint limits, and no further from the
            previous command than the joint's velocity limit allows in one control period.

        Raises:
            CommandError: wrong size, or not finite; the previous command stays.
        """
        wanted = self._checked(position)
        previous, move = self._previous, self._largest_move
        taken: FloatArray = np.minimum(np.maximum(wanted, previous - move), previous + move)
        taken = np.minimum(np.maximum(taken, self._position_min), self._position_max)
        self._previous = taken
        self.mj_data.ctrl[:] = self.simulation.actuation.controls(taken)
        return np.array(taken)

    def step(self) -> None:
        """Advance by one control period.

        Raises:
            RobotLearningError: the simulation diverged.
        """
        data = self.mj_data
        data.qacc_warmstart[:] = 0.0
        mujoco.mj_step(self.mj_model, data, self.simulation.substeps)
        if not math.isfinite(data.qpos.sum()):
            raise RobotLearningError(
                f"the simulation of '{self.profile.name}' diverged at {self.time_s:.3f} s; "
                "a smaller <option timestep> in its MJCF, or softer servos, may help"
            )
        self._effort = data.qfrc_actuator[self.simulation.dof_addresses]
        self._update_kinematics()

    def pose(self, name: str) -> FloatArray:
        """(7,) world pose of an end effector or of a body of the scene.

        Raises:
            ConfigurationError: no such name; the text lists the valid ones.
        """
        if name not in self._readers:
            raise ConfigurationError(unknown_choice("pose", name, self._readers))
        pose = np.empty(7)
        self._readers[name](pose)
        return pose

    def poses(self) -> dict[str, FloatArray]:
        """Every pose by name, each (7,)."""
        return {name: self.pose(name) for name in self._readers}

    def set_pose(self, name: str, pose: npt.ArrayLike) -> None:
        """Put an object of the scene at `pose` (7,) (or (3,): as it is turned), at rest.

        Raises:
            ConfigurationError: there is no such object, it cannot be placed, or the pose is not
                finite or has the wrong size.
        """
        objects = self.simulation.objects
        if name not in objects:
            raise ConfigurationError(unknown_choice("object", name, objects))
        values = _numbers(pose)
        if values.shape == (3,):
            values = np.concatenate([values, self.pose(name)[3:]])
        norm = float(np.linalg.norm(values[3:])) if values.shape == (7,) else 0.0
        if not np.isfinite(values).all() or norm < 1e-6:
            raise ConfigurationError(
                f"the pose of '{name}' must be x y z, or x y z qw qx qy qz, finite; found {pose!r}"
            )
        self._place(name, np.concatenate([values[:3], values[3:] / norm]))
        self._update_kinematics()

    def touching(self, objects: Sequence[str]) -> tuple[str, str] | None:
        """A part of the robot and one of the scene's objects that is in its way, if any.

        They overlap, or the object stands between the fingers of a gripper.
        """
        model, data = self.mj_model, self.mj_data
        mujoco.mj_fwdPosition(model, data)
        wanted = {model.body(name).id: name for name in objects}
        for contact in data.contact:
            if contact.dist > -_TOUCH_M:
                continue
            bodies = [int(model.geom_bodyid[geom]) for geom in contact.geom]
            for body, other in (bodies, bodies[::-1]):
                name = model.body(other).name
                if body in wanted and name.startswith(PREFIX):
                    return name.removeprefix(PREFIX), wanted[body]
        for arm in self.profile.arms:
            if arm.gripper is None:
                continue
            point = data.site_xpos[model.site(arm.end_effector_name).id]
            for geom in np.flatnonzero(np.isin(model.geom_bodyid, list(wanted))):
                if not (model.geom_contype[geom] or model.geom_conaffinity[geom]):
                    continue
                room_m = _HAND_SHARE * arm.gripper.clear_width_m
                if _distance_m(model, data, int(geom), point) < room_m:
                    return f"gripper of {arm.name}", wanted[int(model.geom_bodyid[geom])]
        return None

    def save_state(self) -> FloatArray:
        """(k,) everything the future depends on, and the last efforts; for `restore_state`."""
        state = np.empty(self._state_size + 2 * self._previous.size)
        mujoco.mj_getState(self.mj_model, self.mj_data, state[: self._state_size], _STATE)
        state[self._state_size :] = np.concatenate([self._previous, self._effort])
        return state

    def restore_state(self, state: FloatArray) -> None:
        """Return to a saved state, exactly.

        Raises:
            ConfigurationError: the state is of another scene or robot.
        """
        count = self._previous.size
        if np.shape(state) != (self._state_size + 2 * count,):
            raise ConfigurationError(
                f"expected a state of {amount(self._state_size + 2 * count, 'value')}, found "
                f"{np.shape(state)}; it was saved from another robot or scene"
            )
        values = np.ascontiguousarray(state, np.float64)
        mujoco.mj_setState(self.mj_model, self.mj_data, values[: self._state_size], _STATE)
        self._previous = values[self._state_size : self._state_size + count].copy()
        self._effort = values[self._state_size + count :].copy()
        self._update_kinematics()

    def _checked(self, position: npt.ArrayLike) -> FloatArray:
        values = _numbers(position)
        names = self.profile.joint_names
        if values.shape != self._position_min.shape:
            raise CommandError(
                f"a command needs {amount(len(names), 'joint position')} ({', '.join(names)}), "
                f"found shape {values.shape}"
            )
        if not math.isfinite(values.sum()):
            bad = [
                name for name, value in zip(names, values, strict=True) if not np.isfinite(value)
            ]
            raise CommandError(f"the command is not finite at: {', '.join(bad) or 'its sum'}")
        return values

    def _place(self, name: str, pose: FloatArray) -> None:
        model, data = self.mj_model, self.mj_data
        body = model.body(name)
        if body.mocapid[0] >= 0:
            data.mocap_pos[body.mocapid[0]] = pose[:3]
            data.mocap_quat[body.mocapid[0]] = pose[3:]
            return
        joint = body.jntadr[0]
        if joint < 0 or int(model.jnt_type[joint]) != mujoco.mjtJoint.mjJNT_FREE:
            raise ConfigurationError(
                f"the object '{name}' has joints of its own or hangs on another body, "
                "so it cannot be placed"
            )
        address, velocity = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
        data.qpos[address : address + 7] = pose
        data.qvel[velocity : velocity + 6] = 0.0

    def _update_kinematics(self) -> None:
        mujoco.mj_kinematics(self.mj_model, self.mj_data)

    def _settle_activations(self) -> None:
        """Filtered servos start with their filter at the held control."""
        model, data = self.mj_model, self.mj_data
        for actuator in range(model.nu):
            address, count = model.actuator_actadr[actuator], model.actuator_actnum[actuator]
            if count == 1:
                data.act[address] = data.ctrl[actuator]

    def _pose_readers(self) -> dict[str, Callable[[FloatArray], None]]:
        """For each pose name a function that writes it into a (7,) array."""
        model, data = self.mj_model, self.mj_data
        readers: dict[str, Callable[[FloatArray], None]] = {}
        for name in self.simulation.end_effector_names:
            site = model.site(name).id
            body = model.site_bodyid[site]
            readers[name] = _site_reader(
                data.site_xpos[site], data.xquat[body], model.site_quat[site].tolist()
            )
        for name in self.simulation.objects:
            body = model.body(name).id
            readers[name] = _body_reader(data.xpos[body], data.xquat[body])
        return readers


def _distance_m(model: mujoco.MjModel, data: mujoco.MjData, geom: int, point: FloatArray) -> float:
    """How far a point is outside of a geom: exactly for boxes and cylinders, else by its ball."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    local = (point - data.geom_xpos[geom]) @ data.geom_xmat[geom].reshape(3, 3)
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        outside = np.maximum(np.abs(local) - size, 0.0)
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        around = math.hypot(local[0], local[1]) - size[0]
        outside = np.maximum([around, abs(local[2]) - size[1]], 0.0)
    else:
        outside = np.array([max(0.0, float(np.linalg.norm(local)) - model.geom_rbound[geom])])
    return float(np.linalg.norm(outside))


def _numbers(values: npt.ArrayLike) -> FloatArray:
    """The values as float64; empty, which fits no joint vector and no pose, if they are none."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        return np.empty(0)


def quaternion_product(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """The product of two quaternions wxyz, given by components: numbers, or arrays of many.

    One formula for one world and for a batch, so that both round alike.
    """
    w, x, y, z = first
    a, b, c, d = second
    return (
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    )


def _site_reader(
    position: FloatArray, body_quaternion: FloatArray, site_quaternion: Sequence[float]
) -> Callable[[FloatArray], None]:
    # The quaternion is taken through the body's: it is continuous, one made from a matrix is not.
    def read(pose: npt.NDArray[np.float64]) -> None:
        pose[:3] = position
        pose[3:] = quaternion_product(body_quaternion.tolist(), site_quaternion)

    return read


def _body_reader(position: FloatArray, quaternion: FloatArray) -> Callable[[FloatArray], None]:
    def read(pose: npt.NDArray[np.float64]) -> None:
        pose[:3] = position
        pose[3:] = quaternion

    return read
