"""The group `sim`: one simulated robot in the scene of one task."""

from __future__ import annotations

import os
from collections.abc import Mapping

from robot_learning.bringup.lockstep import ARGUMENT as LOCKSTEP
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchArgument,
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    ParameterValue,
    middleware_environment,
    parse_flag,
    parse_integer,
    parse_names,
    parse_number,
    shipped_parameters,
    user_parameters,
)
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.resources import find_robot

AUTO = "auto"
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

ARGUMENTS = (
    LaunchArgument("robot", "desk_arm", "Robot profile: a name, a folder or a robot.yaml"),
    LaunchArgument("task", "lift", "Task whose scene is simulated"),
    LaunchArgument("seed", "0", "Seed of the placement of objects"),
    LaunchArgument(
        "headless",
        AUTO,
        "false shows the scene in a window; auto: where a person drives and there is a screen",
        (AUTO, "true", "false"),
    ),
    LaunchArgument(
        "sim_speed", "1.0", "Simulated seconds per second of real time; 0: as fast as possible"
    ),
    LOCKSTEP,
    LaunchArgument("cameras", "all", "Cameras to publish, separated by commas; all, or none"),
    LaunchArgument("namespace", "", "Namespace of every node and topic"),
    LaunchArgument(
        "use_sim_time",
        "auto",
        "Publish and use /clock; auto: if sim_speed is not 1",
        ("auto", "true", "false"),
    ),
    LaunchArgument(
        "params_file", "", "YAML file with node parameters, which override the arguments"
    ),
    LaunchArgument("log_level", "info", "Lowest severity to log", LOG_LEVELS),
    LaunchArgument(
        "autostart", "true", "Configure and activate the lifecycle nodes", ("true", "false")
    ),
)


def uses_sim_time(arguments: Mapping[str, str]) -> bool:
    """Whether the nodes of a plan live in simulated time.

    Raises:
        ConfigurationError: the simulation is to run at another speed in real time.
    """
    real_time = parse_number("sim_speed", arguments["sim_speed"]) == 1.0
    if arguments["use_sim_time"] == "auto":
        return not real_time
    wanted = parse_flag("use_sim_time", arguments["use_sim_time"])
    if not wanted and not real_time:
        raise ConfigurationError("sim_speed other than 1 needs use_sim_time:=true (or auto)")
    return wanted


def is_headless(arguments: Mapping[str, str], by_hand: bool) -> bool:
    """Whether no window is opened; `by_hand` tells whether a person drives with a device."""
    if arguments["headless"] != AUTO:
        return parse_flag("headless", arguments["headless"])
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not (by_hand and has_screen)


def robot_node(
    arguments: Mapping[str, str],
    more: Mapping[str, ParameterValue] | None = None,
    *,
    by_hand: bool = False,
) -> NodeSpec:
    """The robot's own node; `more` parameters come after the shipped ones."""
    robot = arguments["robot"]
    find_robot(robot)
    parameters: dict[str, ParameterValue] = {
        "robot": robot,
        "task": arguments["task"],
        "seed": parse_integer("seed", arguments["seed"]),
        "sim_speed": parse_number("sim_speed", arguments["sim_speed"]),
        "publish_clock": uses_sim_time(arguments),
        "headless": is_headless(arguments, by_hand),
        "cameras": parse_names(arguments["cameras"]),
        "autostart": parse_flag("autostart", arguments["autostart"]),
        "real_time": False,
        **(more or {}),
    }
    user = user_parameters(arguments["params_file"])
    return NodeSpec(
        executable="robot_node",
        name="robot_node",
        namespace=arguments["namespace"],
        parameters=(shipped_parameters("robot_node"), parameters, *user),
        log_level=arguments["log_level"],
    )


def sim_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """The simulated robot alone.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    # Alone it would run away from whoever drives it from outside.
    lockstep = is_lockstep(arguments, by_default=False)
    plan = LaunchPlan(nodes=(robot_node(arguments),), environment=middleware_environment())
    return arranged(plan, lockstep)


SIM = LaunchGroup("sim", "a simulated robot in the scene of a task", ARGUMENTS, sim_plan)
