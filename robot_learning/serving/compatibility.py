"""Does a checkpoint fit a robot? Every difference is an error that names both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.features import HELD_COMMAND, action_feature, joint_features
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.serving.increments import largest_increments

POSE_SHAPE = (7,)
POSES = "poses/"
"""Beginning of the topics of poses, below the namespace."""
END_EFFECTOR = "_end_effector"
_ROOTS = ("obs/", "images/")
HELD_KEY = f"obs/{HELD_COMMAND}"
"""Column of the joint targets that are being held."""
_RETRAIN = "name a checkpoint that was trained on a dataset of this robot"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each column of a policy's observation comes from: its key -> the robot's name for it.

    Attributes:
        joints: names of joint vectors: `joint_position`, `joint_velocity`, `joint_effort`.
        poses: names of poses in the world frame.
        cameras: names of the robot's cameras.
        increments: (n,) largest change of a held joint target in a step, rad or m, for policies
            that see what is held (`HELD_KEY`) and change it; None for the others.
    """

    joints: dict[str, str]
    poses: dict[str, str]
    cameras: dict[str, str]
    increments: FloatArray | None = None


def check_policy(
    spec: PolicySpec, details: CheckpointDetails, profile: RobotProfile, source: str
) -> Sources:
    """Check a policy against the robot that it is to drive.

    Args:
        spec: spec of the policy.
        details: details of the policy's checkpoint, such as its robot and joint names.
        profile: profile of the robot.
        source: name of the checkpoint in error messages.

    Raises:
        ConfigurationError: another robot, other joints, rates or shapes, actions that are no joint
            targets, an observation that the robot does not have. The text names what the checkpoint
            and what the robot has.
    """

    def refuse(text: str) -> ConfigurationError:
        return ConfigurationError(f"{source} does not fit robot '{profile.name}': {text}")

    if details.robot and details.robot != profile.name:
        raise refuse(
            f"it was trained for robot '{details.robot}'; start with robot:={details.robot}, or "
            f"train a policy on a dataset of '{profile.name}'"
        )
    if spec.discrete_actions:
        raise refuse(
            f"it chooses among {amount(spec.discrete_actions, 'action')}; the robot takes positions"
        )
    sees_command = any(column.key == HELD_KEY for column in spec.observations)
    increments = largest_increments(details.environment, spec, profile)
    if sees_command and increments is None:
        raise refuse(
            "its actions are changes of the held joint targets (actions=increments), and the "
            "checkpoint does not say how large: learn with --env-set actions=targets; "
            "`robot-learning evaluate` simulates this one as it was trained"
        )
    if increments is not None and not sees_command:
        raise refuse(
            "its actions are changes of the held joint targets (actions=increments), and it does "
            f"not see what is held ('{HELD_KEY}'); {_RETRAIN}"
        )
    if increments is not None and spec.action_steps > 1:
        raise refuse(
            "its actions are changes of the held joint targets (actions=increments) in chunks of "
            f"{amount(spec.action_steps, 'step')}; only single steps are served as trained"
        )
    names, wanted = spec.action_names or details.joint_names, action_feature(profile).names
    if names and tuple(names) != wanted:
        raise refuse(
            f"its actions are {', '.join(names)}; the robot's joints {', '.join(wanted)}; "
            f"{_RETRAIN}"
        )
    if spec.action_dim != len(wanted):
        raise refuse(
            f"its actions have {amount(spec.action_dim, 'number')}, the robot "
            f"{amount(len(wanted), 'joint')}; {_RETRAIN}"
        )
    if spec.rate_hz > profile.control_rate_hz * 1.001:
        text = f"its steps come at {spec.rate_hz:g} Hz, the robot's control rate is "
        raise refuse(f"{text}{profile.control_rate_hz:g} Hz")
    sources = Sources({}, {}, {}, increments)
    for column in spec.observations:
        if problem := _assign(column, profile, sources):
            raise refuse(problem)
    return sources


def silence_text(topics: Sequence[str], task: str) -> str:
    """That a policy waits for topics, and what to do where these may be of another task's scene.

    Args:
        topics: topics of which nothing has arrived.
        task: task that the policy was trained for; empty where nobody knows.
    """
    text = f"nothing received yet of {', '.join(topics)}"
    if not (task and any(POSES in topic for topic in topics)):
        return text
    return (
        f"{text}; the policy was trained for task '{task}': start with task:={task}, or serve a "
        "checkpoint that was trained for the task that runs"
    )


def _assign(column: ObservationSpec, profile: RobotProfile, sources: Sources) -> str:
    """Note where a column comes from; returns what is wrong with it, empty if nothing is."""
    root = next((root for root in _ROOTS if column.key.startswith(root)), None)
    if root is None:
        return f"it sees '{column.key}'; a robot serves obs/<name> and images/<camera>"
    name = column.key.removeprefix(root)
    if column.key == HELD_KEY:
        return _joints_problem(column, profile)
    if column.is_image:
        sources.cameras[column.key] = name
        return _camera_problem(column, name, profile)
    if name in (feature.name for feature in joint_features(profile)):
        sources.joints[column.key] = name
        return _joints_problem(column, profile)
    sources.poses[column.key] = name
    return _pose_problem(column, name, profile)


def _camera_problem(column: ObservationSpec, name: str, profile: RobotProfile) -> str:
    cameras = {camera.name: (camera.height_px, camera.width_px, 3) for camera in profile.cameras}
    if name not in cameras:
        return f"it sees '{column.key}': {unknown_choice('camera', name, cameras)}"
    if cameras[name] != tuple(column.shape):
        seen, there = _size(column.shape), _size(cameras[name])
        return (
            f"it sees '{column.key}' of {seen} pixels, the robot's camera has {there} "
            "(width_px and height_px in its robot.yaml)"
        )
    return ""


def _joints_problem(column: ObservationSpec, profile: RobotProfile) -> str:
    joints = len(profile.joints)
    if tuple(column.shape) != (joints,):
        seen = tuple(column.shape)
        has = amount(joints, "joint")
        return f"it sees '{column.key}' of shape {seen}, the robot has {has}; {_RETRAIN}"
    return ""


def _pose_problem(column: ObservationSpec, name: str, profile: RobotProfile) -> str:
    end_effectors = [arm.end_effector_name for arm in profile.arms]
    unknown = name.endswith(END_EFFECTOR) and name not in end_effectors
    if tuple(column.shape) == POSE_SHAPE and not unknown:
        return ""
    valid = [*(feature.name for feature in joint_features(profile)), *end_effectors, "<object>"]
    return (
        f"it sees '{column.key}' of shape {tuple(column.shape)}; the robot has "
        f"{', '.join(valid)}, where end effectors and objects are poses of 7 numbers"
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
