"""The streams that our own robots, arbiter and tasks give, and their values.

One place says which column holds what, for live recording, for lockstep simulation and for
conversion.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.profile import Camera, RobotProfile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.format.schema import Column, Encoding, Stream
from robot_learning.episodes.store.labels import clean_action

JOINTS, DECISION, TASK = "joint_states", "decision", "task"
SUCCESS = "task/success"
# Three periods late, but never so strict that the operating system's jitter counts.
_MAX_AGE_PERIODS, _MAX_AGE_MIN_S = 3.0, 0.05
POSE_NAMES = ("x", "y", "z", "qw", "qx", "qy", "qz")


def max_age_s(rate_hz: float) -> float:
    """The default bound on a sample's age for a stream of this rate."""
    return max(_MAX_AGE_PERIODS / rate_hz, _MAX_AGE_MIN_S)


def joint_stream(profile: RobotProfile, rate_hz: float, poses: Iterable[str] = ()) -> Stream:
    """What the robot senses: joint position, velocity and effort, and named world poses.

    `states` repeats position and velocity as one row, for readers that ask for it.

    Args:
        profile: the robot.
        rate_hz: nominal rate of the joint states.
        poses: names of the world poses, (7,) each.
    """
    names = profile.joint_names
    joints = tuple(
        Column(f"obs/joint_{quantity}", (len(names),), unit="SI", names=names)
        for quantity in ("position", "velocity", "effort")
    )
    seen = tuple(
        Column(f"obs/{pose}", (7,), unit="m, quaternion", names=POSE_NAMES) for pose in poses
    )
    states = Column("states", (2 * len(names),), unit="SI")
    return Stream(JOINTS, rate_hz, max_age_s(rate_hz), (*joints, *seen, states))


def joint_values(stream: Stream, observation: Observation) -> dict[str, Any]:
    """The values of `joint_stream` for an observation.

    Raises:
        KeyError: the observation lacks a pose of the stream.
    """
    values: dict[str, Any] = {
        "obs/joint_position": observation.joint_position,
        "obs/joint_velocity": observation.joint_velocity,
        "obs/joint_effort": observation.joint_effort,
        "states": np.concatenate([observation.joint_position, observation.joint_velocity]),
    }
    for column in stream.columns:
        if column.path not in values:
            values[column.path] = observation.poses[column.path.removeprefix("obs/")]
    return values


def decision_stream(profile: RobotProfile, rate_hz: float) -> Stream:
    """What the arbiter decided: every column of it, and the label that follows from it."""
    names = profile.joint_names
    actions = tuple(
        Column(path, (len(names),), unit="rad or m", names=names)
        for path in (
            "actions",
            *(f"control/{n}" for n in ("human", "policy", "noise", "requested", "applied")),
        )
    )
    return Stream(
        DECISION,
        rate_hz,
        max_age_s(rate_hz),
        (
            *actions,
            Column("control/limited", (len(names),), "uint8", names=names),
            Column("control/source", (), "uint8"),
            Column("control/mode", (), "uint8"),
            Column("intervention", (), "bool"),
        ),
    )


def decision_values(
    *,
    source: int,
    human: FloatArray,
    policy: FloatArray,
    noise: FloatArray,
    requested: FloatArray,
    applied: FloatArray,
    limited: npt.NDArray[np.integer[Any]],
    intervention: bool,
    mode: int | None = None,
) -> dict[str, Any]:
    """The values of `decision_stream`.

    Args:
        source: source in control, a value of `Source`.
        human: (n,) rad or m, the human's clean action; NaN where there is none.
        policy: (n,) rad or m, the policy's clean action; NaN where there is none.
        noise: (n,) rad or m, the drawn noise.
        requested: (n,) rad or m, the source's action plus the noise.
        applied: (n,) rad or m, what the limits leave of `requested`.
        limited: (n,) bits of the limits that were hit.
        intervention: whether the human took over from a policy.
        mode: mode of the arbiter, a value of `Mode`; None for that of the source, and HOLD where
            nobody drives.
    """
    if mode is None:
        mode = Mode.HOLD if source == Source.NONE else Mode(source)
    return {
        "actions": clean_action(source, human, policy, applied),
        "control/source": np.uint8(source),
        "control/mode": np.uint8(mode),
        "control/human": human,
        "control/policy": policy,
        "control/noise": noise,
        "control/requested": requested,
        "control/applied": applied,
        "control/limited": limited.astype(np.uint8),
        "intervention": np.bool_(intervention),
    }


def camera_stream(camera: Camera, *, raw: bool = False) -> Stream:
    """One camera; `raw` stores its frames uncompressed, where robomimic reads them."""
    shape = (camera.height_px, camera.width_px, 3)
    column = (
        Column(f"obs/{camera.name}", shape, "uint8")
        if raw
        else Column(f"images/{camera.name}", shape, "uint8", Encoding.JPEG)
    )
    return Stream(camera.name, camera.rate_hz, max_age_s(camera.rate_hz), (column,))


def task_stream(rate_hz: float, *, success: bool = False) -> Stream:
    """The reward of a simulated task, and with `success` whether it is solved."""
    solved = (Column(SUCCESS, (), "bool"),) if success else ()
    return Stream(TASK, rate_hz, max_age_s(rate_hz), (Column("rewards", ()), *solved))
