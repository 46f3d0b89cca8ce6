"""The group `teleop`: a person drives a simulated or a real robot, through the arbiter."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.plan import (
    LaunchArgument,
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    ParameterValue,
    middleware_environment,
    parse_flag,
    parse_integer,
    parse_number,
    shipped_parameters,
    user_parameters,
)
from robot_learning.bringup.sim import ARGUMENTS as SIM_ARGUMENTS
from robot_learning.core.errors import ConfigurationError

SCRIPTED = "scripted"
DEVICES = ("keyboard", "gamepad", "gamepad_direct", "spacemouse", "leader_arm", SCRIPTED)
"""What teleop_node can be driven with."""
PANELS = ("none", "keyboard")
"""Devices that may carry the operator's keys beside another one."""
FIXED = {"sim_speed": "1.0", "use_sim_time": "false", "autostart": "true"}
"""Arguments of `sim` that a person at the device decides: they live in real time."""
SHARED = ("robot", "task", "seed", "headless", "cameras", "namespace", "params_file", "log_level")

ARGUMENTS = (
    *(argument for argument in SIM_ARGUMENTS if argument.name in SHARED),
    LaunchArgument(
        "sim",
        "true",
        "false: drive the real robot (interfaces.real of its profile)",
        ("true", "false"),
    ),
    LaunchArgument("device", "keyboard", "Device that the operator drives with", DEVICES),
    LaunchArgument(
        "map",
        "",
        "Key or axis map of the device: a shipped name or a YAML file (default: the device's own)",
    ),
    LaunchArgument("panel", "none", "A second device for the operator's keys", PANELS),
    LaunchArgument(
        "dart",
        "false",
        "Add DART noise to the operator's command, between the start and the stop key",
        ("true", "false"),
    ),
    LaunchArgument(
        "dart_covariance", "", "File with the covariance of the noise: .npy, .npz or .yaml"
    ),
    LaunchArgument(
        "dart_sigma",
        "0.02",
        "Standard deviation of the noise on every arm joint, rad or m, if no file is given",
    ),
    LaunchArgument("dart_trace", "0", "Trace to which the covariance is scaled; 0: not scaled"),
    LaunchArgument(
        "dart_hold_ticks", "5", "Arbiter ticks for which each draw of the noise is held"
    ),
    LaunchArgument("dart_seed", "0", "Seed of the noise"),
)


def teleop_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """Robot (when simulated), arbiter, and the operator's device.

    A simulated robot is enabled at start. A real one waits for the operator: the key `n`, or
    the service `arbiter_node/enable`.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    nodes = teleop_nodes(arguments)
    return LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())


def teleop_nodes(
    arguments: Mapping[str, str],
    arbiter: Mapping[str, ParameterValue] | None = None,
    robot: Mapping[str, ParameterValue] | None = None,
) -> list[NodeSpec]:
    """The nodes of `teleop_plan`, with more parameters for the arbiter and a simulated robot.

    Raises:
        ConfigurationError: an argument is wrong.
    """
    noise = {**_dart_parameters(arguments), **(arbiter or {})}
    nodes = robot_and_arbiter(
        {**FIXED, **arguments}, noise, robot, by_hand=arguments["device"] != SCRIPTED
    )
    return [*nodes, teleop_node(arguments)]


def _dart_parameters(arguments: Mapping[str, str]) -> dict[str, ParameterValue]:
    covariance = arguments["dart_covariance"]
    parameters: dict[str, ParameterValue] = {
        "noise.covariance": covariance,
        # The covariance of a file replaces the scalar.
        "noise.sigma": 0.0 if covariance else parse_number("dart_sigma", arguments["dart_sigma"]),
        "noise.trace": parse_number("dart_trace", arguments["dart_trace"]),
        "noise.hold_ticks": parse_integer("dart_hold_ticks", arguments["dart_hold_ticks"]),
        "noise.seed": parse_integer("dart_seed", arguments["dart_seed"]),
        # Nobody presses keys for the scripted operator: its session is one demonstration.
        "demonstrating": arguments["device"] == SCRIPTED,
        "demonstrations_follow": "parameter" if arguments["device"] == SCRIPTED else "operator",
    }
    if parse_flag("dart", arguments["dart"]):
        return parameters
    if covariance:
        raise ConfigurationError("dart_covariance is given, but the noise is off: add dart:=true")
    return {}


def teleop_node(
    arguments: Mapping[str, str], more: Mapping[str, ParameterValue] | None = None
) -> NodeSpec:
    """The device; `more` parameters come after the shipped ones, the user's file last."""
    user = user_parameters(arguments["params_file"])
    names = ("robot", "device", "map", "panel", "task")
    parameters: dict[str, ParameterValue] = {name: arguments[name] for name in names}
    parameters |= {"seed": parse_integer("seed", arguments["seed"]), **(more or {})}
    return NodeSpec(
        executable="teleop_node",
        name="teleop_node",
        namespace=arguments["namespace"],
        parameters=(shipped_parameters("teleop_node"), parameters, *user),
        log_level=arguments["log_level"],
        owns_terminal=True,
    )


TELEOP = LaunchGroup("teleop", "a robot, the arbiter and a person's device", ARGUMENTS, teleop_plan)
