"""The ghost arm of `relabel --device`: which kind an episode allows, and the world to draw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.store.episode import Episode
from robot_learning.relabeling.ghost import Ghost, RecordedGhost, SimulatedGhost
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.sim.model import compile_robot, compose
from robot_learning.sim.tasks import TASKS, make_task
from robot_learning.sim.tasks.layout import SCENES, fit_mat
from robot_learning.sim.world import World
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.kinematics import Kinematics


def refuse_other_joints(episode: Episode, profile: RobotProfile) -> None:
    """Refuse an episode of another arm.

    Raises:
        ConfigurationError: names both sides.
    """
    if tuple(episode.info.joint_names) != profile.joint_names:
        raise ConfigurationError(
            f"{episode.path}: recorded with the joints {', '.join(episode.info.joint_names)}; the "
            f"robot '{profile.name}' has {', '.join(profile.joint_names)}"
        )


@contextmanager
def make_ghost(rows: RecordedRows, profile: RobotProfile) -> Iterator[Ghost]:
    """A simulated ghost where the task, the robot and all objects are known, else a recorded."""
    info = rows.episode.info
    task = make_task(info.task) if info.task in TASKS and profile.sim else None
    if task is None or not set(task.objects) <= set(rows.poses):
        yield RecordedGhost(rows)
        return
    with MujocoRobot(replace(profile, control_rate_hz=info.rate_hz), task) as robot:
        yield SimulatedGhost(rows, robot)


def drawn_world(ghost: Ghost, profile: RobotProfile) -> World | None:
    """The simulated ghost's world, else one with the robot at a table; None without a model."""
    if isinstance(ghost, SimulatedGhost):
        return ghost.robot.world
    if profile.sim is None:
        return None

    return World(compose(profile, SCENES / "table.xml", partial(fit_mat, profile=profile)))


def about(ghost: Ghost) -> str:
    """How much of the state is known, in words."""
    if not isinstance(ghost, SimulatedGhost):
        return "not a simulated scene: recorded joints and images are shown"
    count, rows = ghost.exact_rows, len(ghost.rows)
    text = f"simulated state restored exactly in {count} of {amount(rows, 'row')}"
    return text if count == rows else f"{text}; in the others joints and objects as recorded"


def kinematics(profile: RobotProfile) -> Kinematics | None:
    """Kinematics for jogging the end effector; None where the robot has no model."""
    if profile.sim is None:
        return None

    model = compile_robot(profile)
    return InverseKinematics(model.mj_model, profile, model.qpos_addresses, model.dof_addresses)
