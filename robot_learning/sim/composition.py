"""Joins a robot's MJCF and a task's MJCF into one MuJoCo specification.

The robot's elements get the prefix `robot/`, so that no name of a downloaded arm can clash with
the scene's. What the profile adds keeps its plain name: the sites `<arm>_end_effector` and the
cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from robot_learning.core.decoding import Mistake
from robot_learning.core.errors import ConfigurationError, ProfileError, unknown_choice
from robot_learning.core.profile import Camera, RobotProfile, SimInterface
from robot_learning.sim.force_limits import keep_damping
from robot_learning.sim.joint_limits import limit_mistakes
from robot_learning.sim.physics_options import settle_options
from robot_learning.sim.servos import prepare_servos

PREFIX = "robot/"
# A site whose pose is written after compilation starts with one that MuJoCo cannot simplify.
_UNSIMPLIFIED_QUATERNION = (0.5, 0.5, 0.5, 0.5)

Adapt = Callable[[mujoco.MjSpec], None]


def sim_interface(profile: RobotProfile) -> SimInterface:
    """The profile's `sim` interface.

    Raises:
        ProfileError: the robot has none, so it cannot be simulated.
    """
    if profile.sim is None:
        raise ProfileError(
            f"{profile.path}: interfaces: the robot '{profile.name}' has no 'sim' interface, "
            "so it cannot be simulated"
        )
    return profile.sim


def parse_mjcf(path: Path, error: type[ConfigurationError] = ConfigurationError) -> mujoco.MjSpec:
    """Parse an MJCF file.

    Raises:
        error: the file is missing or is not valid MJCF; the text says which and on which line.
    """
    if not path.is_file():
        raise error(f"{path}: there is no such MJCF file")
    try:
        return mujoco.MjSpec.from_file(str(path))
    except ValueError as problem:
        raise error(f"{path}: {_one_line(problem)}") from problem


def compile_scene(
    profile: RobotProfile, scene: Path | None, adapt: Adapt | None = None
) -> mujoco.MjModel:
    """Attach the robot to the scene (or to an empty world) and compile.

    Args:
        profile: the robot; needs a `sim` interface.
        scene: the task's MJCF file; None for the robot alone.
        adapt: changes the scene's specification first, such as the sizes of its objects.

    Raises:
        ProfileError: the profile does not fit its MJCF; names the file, the key and what is valid,
            and has every mistake that is found.
        ConfigurationError: one of the two MJCF files is broken; names the file and the line.
    """
    sim = sim_interface(profile)
    robot = parse_mjcf(sim.mjcf, ProfileError)
    parent = parse_mjcf(scene) if scene else mujoco.MjSpec()
    if adapt:
        adapt(parent)
    if scene:
        _make_placeable(parent)
    settle_options(parent, robot, has_scene=scene is not None)
    _strip_robot(robot, has_scene=scene is not None)
    mistakes = [
        *prepare_servos(robot, profile, sim),
        *_end_effector_mistakes(robot, profile, sim.mjcf),
        *_camera_mistakes(robot, profile, sim.mjcf),
    ]
    if mistakes:
        texts = [f"{profile.path}: {mistake}" for mistake in mistakes]
        raise ProfileError(*texts, *_mistakes_alone(profile, sim))
    bodies = _end_effector_bodies(robot, profile)
    try:
        parent.attach(robot, prefix=PREFIX, frame=parent.worldbody.add_frame())
        _add_end_effectors(parent, profile, bodies)
        _add_cameras(parent, profile)
        model = parent.compile()
    except ValueError as problem:
        _blame_file(sim.mjcf, scene)
        both = f"{sim.mjcf} together with {scene}" if scene else str(sim.mjcf)
        raise ConfigurationError(f"{both}: {_one_line(problem)}") from problem
    _place_end_effectors(model, profile)
    keep_damping(model, PREFIX)
    return model


def _one_line(problem: Exception) -> str:
    return ", ".join(line.strip() for line in str(problem).splitlines() if line.strip())


def _blame_file(robot: Path, scene: Path | None) -> None:
    """Compile each file alone, so that the error names the one that is broken."""
    for path, error in ((robot, ProfileError), (scene, ConfigurationError)):
        if path is None:
            continue
        try:
            parse_mjcf(path, error).compile()
        except ValueError as problem:
            raise error(f"{path}: {_one_line(problem)}") from problem


def _make_placeable(scene: mujoco.MjSpec) -> None:
    """Top-level bodies without joints become mocap bodies, so that a task can place them."""
    for body in scene.worldbody.bodies:
        if not body.joints:
            body.mocap = True


def _strip_robot(robot: mujoco.MjSpec, *, has_scene: bool) -> None:
    """Remove what the composed scene has of its own: keyframes, and floor and lights."""
    for key in list(robot.keys):
        robot.delete(key)
    if not has_scene:
        return
    for light in list(robot.worldbody.lights):
        robot.delete(light)
    for geom in list(robot.worldbody.geoms):
        if geom.type == mujoco.mjtGeom.mjGEOM_PLANE:
            robot.delete(geom)


def _names(elements: Any) -> list[str]:
    return [element.name for element in elements if element.name]


def _mistakes_alone(profile: RobotProfile, sim: SimInterface) -> list[str]:
    """What is wrong with the robot's file as it is, and the limits that exceed its ranges."""
    try:
        model = parse_mjcf(sim.mjcf).compile()
    except ValueError as problem:
        return [f"{sim.mjcf}: {_one_line(problem)}"]
    return [f"{profile.path}: {mistake}" for mistake in limit_mistakes(model, profile, sim)]


def _end_effector_mistakes(
    robot: mujoco.MjSpec, profile: RobotProfile, mjcf: Path
) -> Iterator[Mistake]:
    for index, arm in enumerate(profile.arms):
        frame, key = arm.end_effector, f"arms[{index}].end_effector"
        if frame.site is not None and robot.site(frame.site) is None:
            text = unknown_choice("site", frame.site, _names(robot.sites))
            yield Mistake(f"{key}.site", f"{text} (in {mjcf})")
        if frame.body is not None and robot.body(frame.body) is None:
            text = unknown_choice("body", frame.body, _names(robot.bodies))
            yield Mistake(f"{key}.body", f"{text} (in {mjcf})")


def _end_effector_bodies(robot: mujoco.MjSpec, profile: RobotProfile) -> dict[str, str]:
    """For each arm the name of the body that carries its end-effector frame."""
    bodies: dict[str, str] = {}
    for arm in profile.arms:
        frame = arm.end_effector
        body = robot.site(frame.site).parent if frame.site is not None else robot.body(frame.body)
        if not body.name:
            body.name = f"unnamed_{arm.end_effector_name}"
        bodies[arm.name] = body.name
    return bodies


def _attached_body(parent: mujoco.MjSpec, name: str) -> Any:
    return parent.worldbody if name == "world" else parent.body(PREFIX + name)


def _add_end_effectors(
    parent: mujoco.MjSpec, profile: RobotProfile, bodies: dict[str, str]
) -> None:
    for arm in profile.arms:
        site = _attached_body(parent, bodies[arm.name]).add_site(name=arm.end_effector_name)
        site.group = 5  # never drawn
        if arm.end_effector.body is not None:
            site.pos = arm.end_effector.position_m
            site.quat = arm.end_effector.quaternion_wxyz
        else:
            site.pos, site.quat = (1.0, 1.0, 1.0), _UNSIMPLIFIED_QUATERNION


def _place_end_effectors(model: mujoco.MjModel, profile: RobotProfile) -> None:
    """Move the end-effector sites that stand on another site to it, by their offset.

    Done on the compiled model, since only there every way of writing an orientation (euler,
    zaxis, fromto, frames) is resolved.
    """
    for arm in profile.arms:
        frame = arm.end_effector
        if frame.site is None:
            continue
        source = model.site(PREFIX + frame.site).id
        target = model.site(arm.end_effector_name).id
        position, quaternion = np.empty(3), np.empty(4)
        offset = np.array(frame.position_m)
        mujoco.mju_rotVecQuat(position, offset, model.site_quat[source])
        rotation = np.array(frame.quaternion_wxyz)
        mujoco.mju_mulQuat(quaternion, model.site_quat[source], rotation)
        model.site_pos[target] = model.site_pos[source] + position
        model.site_quat[target] = quaternion
        model.site_sameframe[target] = 0


def _camera_mistakes(robot: mujoco.MjSpec, profile: RobotProfile, mjcf: Path) -> Iterator[Mistake]:
    for index, camera in enumerate(profile.cameras):
        key = f"cameras[{index}]"
        if camera.mjcf_camera and robot.camera(camera.mjcf_camera) is None:
            text = unknown_choice("camera", camera.mjcf_camera, _names(robot.cameras))
            yield Mistake(f"{key}.mjcf_camera", f"{text} (in {mjcf})")
        if camera.pose and camera.pose.body and robot.body(camera.pose.body) is None:
            text = unknown_choice("body", camera.pose.body, _names(robot.bodies))
            yield Mistake(f"{key}.pose.body", f"{text} (in {mjcf})")


def _add_cameras(parent: mujoco.MjSpec, profile: RobotProfile) -> None:
    for index, camera in enumerate(profile.cameras):
        if parent.camera(camera.name) is not None:
            text = f"the scene already has a camera '{camera.name}'"
            raise ProfileError(f"{profile.path}: cameras[{index}].name: {text}")
        if camera.mjcf_camera:
            parent.camera(PREFIX + camera.mjcf_camera).name = camera.name
        elif camera.pose:
            _mount_camera(parent, camera)


def _mount_camera(parent: mujoco.MjSpec, camera: Camera) -> None:
    pose = camera.pose
    if pose is None:
        return
    mounted = _attached_body(parent, pose.body or "world").add_camera(name=camera.name)
    mounted.pos, mounted.quat = pose.position_m, pose.quaternion_wxyz
    mounted.fovy = np.degrees(pose.fovy_rad)  # always degrees, whatever the compiler's angle
