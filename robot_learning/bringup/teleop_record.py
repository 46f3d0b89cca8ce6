"""The group `teleop_record`: teleoperation, and everything of it recorded, episode by episode."""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.bringup.lockstep import ARGUMENT as LOCKSTEP
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchArgument,
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    OnExit,
    ParameterValue,
    middleware_environment,
    parse_flag,
    parse_integer,
    parse_names,
    parse_number,
    resume_command,
    shipped_parameters,
    user_parameters,
)
from robot_learning.bringup.teleop import ARGUMENTS as TELEOP_ARGUMENTS
from robot_learning.bringup.teleop import SCRIPTED, teleop_nodes

_NOISE = ("noise.covariance", "noise.sigma", "noise.trace")

ARGUMENTS = (
    *TELEOP_ARGUMENTS,
    LOCKSTEP,
    LaunchArgument("dataset", "", "Folder of the dataset (default: data/<robot>_<task>)"),
    LaunchArgument(
        "resume", "false", "Continue a dataset that already has episodes", ("true", "false")
    ),
    LaunchArgument("episodes", "10", "Episodes to save in this session"),
    LaunchArgument("operator", "", "Who demonstrates"),
    LaunchArgument("instruction", "", "The task in words (default: its name)"),
    LaunchArgument("round", "0", "Round of DAgger; 0 for demonstrations"),
    LaunchArgument("rate_hz", "50", "Rows per second"),
    LaunchArgument(
        "image_transport",
        "compressed",
        "Image topics to record",
        ("compressed", "raw"),
    ),
    LaunchArgument(
        "image_storage",
        "jpeg",
        "How images are stored; lossless needs image_transport:=raw",
        ("jpeg", "lossless"),
    ),
    LaunchArgument(
        "episode_timeout_s", "30", "Scripted operator: seconds after which an episode has failed"
    ),
)


def teleop_record_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """Robot (when simulated), arbiter, the operator's device, recorder and session.

    The session ends everything once it has its episodes.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(arguments, by_default=True, device=arguments["device"])
    nodes = teleop_nodes(
        arguments,
        # Each episode is a demonstration of its own, which the session begins.
        arbiter={"demonstrating": False, "demonstrations_follow": "parameter"},
        robot={"image_transport": arguments["image_transport"]},
    )
    arbiter = next(node for node in nodes if node.name == "arbiter_node")
    nodes += [recorder_node(arguments, _noise_of(arbiter)), _session_node(arguments)]
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def _noise_of(arbiter: NodeSpec) -> dict[str, ParameterValue]:
    """The noise that the arbiter is given, for the recorder to describe."""
    given: dict[str, ParameterValue] = {}
    for parameters in arbiter.parameters:
        if isinstance(parameters, Mapping):
            given.update({name: parameters[name] for name in _NOISE if name in parameters})
    return given


def recorder_node(
    arguments: Mapping[str, str], more: Mapping[str, ParameterValue] | None = None
) -> NodeSpec:
    """The recorder; `more` parameters come after the shipped ones, the user's file last."""
    names = ("robot", "task", "operator", "image_transport", "image_storage")
    parameters: dict[str, ParameterValue] = {name: arguments[name] for name in names}
    folder = f"data/{arguments['robot']}_{arguments['task']}"
    parameters |= {
        "dataset": arguments["dataset"] or folder,
        "resume": parse_flag("resume", arguments["resume"]),
        "simulated": parse_flag("sim", arguments["sim"]),
        "cameras": parse_names(arguments["cameras"]),
        "instruction": arguments["instruction"] or arguments["task"],
        "round": parse_integer("round", arguments["round"]),
        "rate_hz": parse_number("rate_hz", arguments["rate_hz"]),
        **(more or {}),
    }
    return NodeSpec(
        executable="recorder_node",
        name="recorder_node",
        namespace=arguments["namespace"],
        parameters=(
            shipped_parameters("recorder_node"),
            parameters,
            *user_parameters(arguments["params_file"]),
        ),
        log_level=arguments["log_level"],
    )


def _session_node(arguments: Mapping[str, str]) -> NodeSpec:
    parameters: dict[str, ParameterValue] = {
        "episodes": parse_integer("episodes", arguments["episodes"]),
        "unattended": arguments["device"] == SCRIPTED,
        "simulated": parse_flag("sim", arguments["sim"]),
        "seed": parse_integer("seed", arguments["seed"]),
        "episode_timeout_s": parse_number("episode_timeout_s", arguments["episode_timeout_s"]),
        # How many episodes are lacking still, the session knows.
        "resume_command": resume_command(
            "record", [item for item in ARGUMENTS if item.name != "episodes"], arguments
        ),
    }
    return NodeSpec(
        executable="session_node",
        name="session_node",
        namespace=arguments["namespace"],
        parameters=(parameters, *user_parameters(arguments["params_file"])),
        log_level=arguments["log_level"],
        on_exit=OnExit.FINISH,
    )


TELEOP_RECORD = LaunchGroup(
    "teleop_record",
    "teleoperation, recorded episode by episode",
    ARGUMENTS,
    teleop_record_plan,
)
