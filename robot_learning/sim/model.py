"""A compiled scene with the maps between the profile's joints and MuJoCo's arrays."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.decoding import Mistake
from robot_learning.core.errors import ConfigurationError, ProfileError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.sim.actuation import Actuation, derive_actuation
from robot_learning.sim.composition import (
    PREFIX,
    Adapt,
    compile_scene,
    sim_interface,
)
from robot_learning.sim.servos import mjcf_joint_name

DEFAULT_IMAGE_PX = (224, 224)


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera of the scene: its MuJoCo id and image size."""

    name: str
    id: int
    height_px: int
    width_px: int


@dataclass(frozen=True)
class SimModel:
    """A robot in a scene.

    Attributes:
        profile: the robot.
        mj_model: the compiled model. Treat it as read-only; a `World` works on its own copy.
        qpos_addresses: (n,) where the profile's joints are in qpos.
        dof_addresses: (n,) where the profile's joints are in qvel and the force arrays.
        actuation: how joint targets become controls.
        objects: the scene's body names, which a task can observe; those at the top level that
            are free or have no joint can be placed.
        cameras: every named camera, the profile's and the scene's.
        substeps: physics steps in one control period (of the rate it was made for).
    """

    profile: RobotProfile
    mj_model: mujoco.MjModel
    qpos_addresses: IntArray
    dof_addresses: IntArray
    actuation: Actuation
    objects: tuple[str, ...]
    cameras: Mapping[str, CameraView]
    control_rate_hz: float
    substeps: int

    @property
    def end_effector_names(self) -> tuple[str, ...]:
        """Names of the end-effector poses, one an arm."""
        return tuple(arm.end_effector_name for arm in self.profile.arms)

    def at_rate(self, control_rate_hz: float) -> SimModel:
        """A copy whose time step divides the control period into whole physics steps.

        Raises:
            ConfigurationError: the rate is not above 0, or above that of the physics steps.
        """
        if problem := _rate_problem(self.mj_model, control_rate_hz):
            raise ConfigurationError(problem)
        model = copy.copy(self.mj_model)
        period_s = 1.0 / control_rate_hz
        substeps = max(1, math.ceil(period_s / model.opt.timestep - 1e-6))
        model.opt.timestep = period_s / substeps
        return replace(self, mj_model=model, control_rate_hz=control_rate_hz, substeps=substeps)

    def camera(self, name: str) -> CameraView:
        """The camera of that name.

        Raises:
            ConfigurationError: there is none; the text lists those there are.
        """
        if name not in self.cameras:
            raise ConfigurationError(unknown_choice("camera", name, self.cameras))
        return self.cameras[name]


def compile_robot(profile: RobotProfile) -> SimModel:
    """The robot alone in an empty world, for inverse kinematics and for checking a profile."""
    return compose(profile)


def compose(
    profile: RobotProfile, scene: Path | None = None, adapt: Adapt | None = None
) -> SimModel:
    """Join the robot's MJCF with a task's scene and compile.

    Args:
        profile: the robot; needs a `sim` interface.
        scene: the task's MJCF file, or None for the robot alone.
        adapt: changes the scene's specification before it is compiled.

    Raises:
        ProfileError: the profile does not fit its MJCF; names the file, the key, what is valid, and
            has every mistake that is found.
        ConfigurationError: an MJCF file is broken; names the file and the line.
    """
    model = compile_scene(profile, scene, adapt)
    actuation, mistakes = derive_actuation(model, profile)
    if problem := _rate_problem(model, profile.control_rate_hz):
        mistakes.append(Mistake("control_rate_hz", problem))
    if mistakes:
        raise ProfileError(*(f"{profile.path}: {mistake}" for mistake in mistakes))
    sim = sim_interface(profile)
    joints = [model.joint(PREFIX + mjcf_joint_name(sim, name)).id for name in profile.joint_names]
    simulation = SimModel(
        profile=profile,
        mj_model=model,
        qpos_addresses=model.jnt_qposadr[joints].astype(np.int64),
        dof_addresses=model.jnt_dofadr[joints].astype(np.int64),
        actuation=actuation,
        objects=_object_names(model),
        cameras=_camera_views(model, profile),
        control_rate_hz=profile.control_rate_hz,
        substeps=1,
    )
    return simulation.at_rate(profile.control_rate_hz)


def _rate_problem(model: mujoco.MjModel, rate_hz: float) -> str:
    """Why a control rate does not go with a model's physics; empty where it does."""
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        return f"the control rate must be above 0 Hz, found {rate_hz}"
    highest_hz = 1.0 / model.opt.timestep
    if rate_hz > highest_hz * (1 + 1e-6):
        return (
            f"the control rate of {rate_hz:g} Hz is above that of the physics, "
            f"{highest_hz:g} Hz (<option timestep> is {model.opt.timestep:g} s)"
        )
    return ""


def _object_names(model: mujoco.MjModel) -> tuple[str, ...]:
    names = (model.body(index).name for index in range(1, model.nbody))
    return tuple(name for name in names if name and not name.startswith(PREFIX))


def _camera_views(model: mujoco.MjModel, profile: RobotProfile) -> dict[str, CameraView]:
    sizes = {camera.name: (camera.height_px, camera.width_px) for camera in profile.cameras}
    views: dict[str, CameraView] = {}
    for index in range(model.ncam):
        name = model.camera(index).name
        if not name or name.startswith(PREFIX):
            continue
        width_px, height_px = (int(size) for size in model.cam_resolution[index])
        own = (height_px, width_px) if height_px > 1 else DEFAULT_IMAGE_PX
        views[name] = CameraView(name, index, *sizes.get(name, own))
    return views


def robot_bodies(model: mujoco.MjModel) -> list[int]:
    """Ids of the robot's bodies, those without a name included; parents come first."""
    roots = {
        int(model.body_rootid[index])
        for index in range(1, model.nbody)
        if model.body(index).name.startswith(PREFIX)
    }
    return [index for index in range(1, model.nbody) if int(model.body_rootid[index]) in roots]


def robot_dofs(model: mujoco.MjModel) -> IntArray:
    """Where in qvel everything is that moves in the robot: joints, mimics, passive links."""
    return np.flatnonzero(np.isin(model.dof_bodyid, robot_bodies(model))).astype(np.int64)


def home_qpos(simulation: SimModel) -> FloatArray:
    """(nq,) the model's reference configuration with the robot at its profile's home."""
    qpos: FloatArray = simulation.mj_model.qpos0.copy()
    simulation.actuation.place_joints(qpos, simulation.profile.home)
    return qpos


def self_contacts(simulation: SimModel) -> list[tuple[str, str]]:
    """Pairs of the robot's bodies that touch each other at home; each can jam a joint.

    MuJoCo leaves out contacts between a body and its parent, but not where the parent is welded
    to the world: a first link that overlaps its base is the usual case.
    """
    model, data = simulation.mj_model, mujoco.MjData(simulation.mj_model)
    data.qpos[:] = home_qpos(simulation)
    mujoco.mj_forward(model, data)
    pairs = {
        tuple(sorted(model.body(model.geom_bodyid[geom]).name for geom in contact.geom))
        for contact in data.contact
    }
    return sorted(
        (first.removeprefix(PREFIX), second.removeprefix(PREFIX))
        for first, second in pairs
        if first.startswith(PREFIX) and second.startswith(PREFIX)
    )
