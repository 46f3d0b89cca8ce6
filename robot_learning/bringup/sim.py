"""The group `sim`: one simulated robot in the scene of one task."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from robot_learning.bringup.arguments import (
    Lockstep,
    RobotChoice,
    SceneArguments,
    node_spec,
)
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    middleware_environment,
)
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import find_robot
from robot_learning.nodes.robot import SimSpeed
from robot_learning.nodes.shared import Robot, Task

Cameras = Annotated[
    tuple[str, ...],
    Meta(description="Cameras to publish, separated by commas; all, or none"),
]


@dataclass(frozen=True, kw_only=True)
class SimArguments(SceneArguments):
    """Arguments of the group `sim`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    sim_speed: SimSpeed = 1.0
    lockstep: Lockstep | None = None
    cameras: Cameras = ("all",)
    use_sim_time: (
        Annotated[bool, Meta(description="Publish and use /clock; auto: if sim_speed is not 1")]
        | None
    ) = None
    autostart: Annotated[bool, Meta(description="Configure and activate the lifecycle nodes")] = (
        True
    )


def sim_plan(arguments: SimArguments) -> LaunchPlan:
    """The simulated robot alone.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    # In lockstep a lone robot would outrun whatever drives it from another process.
    lockstep = is_lockstep(arguments.lockstep, by_default=False, sim_speed=arguments.sim_speed)
    settings = {
        "sim_speed": arguments.sim_speed,
        "publish_clock": _uses_sim_time(arguments),
        "autostart": arguments.autostart,
    }
    choice = RobotChoice(arguments.robot, arguments.task, arguments.cameras)
    robot = robot_node(arguments, choice, settings)
    plan = LaunchPlan(nodes=(robot,), environment=middleware_environment())
    return arranged(plan, lockstep)


def robot_node(
    arguments: SceneArguments,
    choice: RobotChoice,
    more: Mapping[str, Any] | None = None,
    *,
    by_hand: bool = False,
) -> NodeSpec:
    """The node of a simulated robot.

    Args:
        arguments: what every node of the group is given, and how the scene begins.
        choice: the robot, its task and its cameras.
        more: further settings of the node, by name; they override those above. None for none.
        by_hand: whether a person drives with a device; then a window shows the scene by default.

    Raises:
        ConfigurationError: there is no such robot, or a setting is wrong.
    """
    find_robot(choice.robot)
    settings = {
        "robot": choice.robot,
        "task": choice.task,
        "seed": arguments.seed,
        "headless": _is_headless(arguments.headless, by_hand),
        "cameras": choice.cameras,
        "real_time": False,
        **(more or {}),
    }
    return node_spec("robot_node", arguments, settings)


def _uses_sim_time(arguments: SimArguments) -> bool:
    """Whether the nodes of a plan run on simulated time.

    Raises:
        ConfigurationError: the simulation is to run at another speed in real time.
    """
    real_time, wanted = arguments.sim_speed == 1.0, arguments.use_sim_time
    if wanted is None:
        return not real_time
    if not wanted and not real_time:
        raise ConfigurationError("sim_speed other than 1 needs use_sim_time:=true (or auto)")
    return wanted


def _is_headless(wanted: bool | None, by_hand: bool) -> bool:
    """Whether no window is opened."""
    if wanted is not None:
        return wanted
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not (by_hand and has_screen)


SIM = LaunchGroup("sim", "a simulated robot in the scene of a task", SimArguments, sim_plan)
