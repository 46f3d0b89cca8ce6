"""The group `serve`: a trained policy drives a simulated or a real robot, through the arbiter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.lockstep import ARGUMENT as LOCKSTEP
from robot_learning.bringup.lockstep import INFERENCE_TICKS, arranged, is_lockstep
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
    parse_number,
    shipped_parameters,
    user_parameters,
)
from robot_learning.bringup.sim import ARGUMENTS as SIM_ARGUMENTS
from robot_learning.core.ensemble_folders import (
    best_checkpoint,
    ensemble_members,
    has_gate,
    known_gate,
)
from robot_learning.core.errors import ConfigurationError
from robot_learning.headers.checkpoint_header import read_checkpoint_header

DEVICES = ("auto", "cpu", "cuda", "mps")
BACKENDS = ("auto", "eager", "compiled", "onnx")
EXECUTIONS = (
    *("auto", "receding_horizon", "asynchronous"),
    *("temporal_ensembling", "real_time_chunking"),
)
FIXED = {"sim_speed": "1.0", "use_sim_time": "false", "autostart": "true"}
"""Arguments of `sim` that serving decides itself: it is done in real time."""
SHARED = ("seed", "headless", "namespace", "params_file", "log_level")
AUTO, MEMBER_SEPARATOR = "auto", ";"

ARGUMENTS = (
    LaunchArgument("checkpoint", "", "Folder of a checkpoint or of a training run"),
    LaunchArgument("robot", "", "Robot profile (default: the robot of the checkpoint)"),
    LaunchArgument(
        "task", "", "Task whose scene is simulated (default: the task of the checkpoint)"
    ),
    *(argument for argument in SIM_ARGUMENTS if argument.name in SHARED),
    LaunchArgument(
        "cameras",
        "auto",
        "Cameras to publish, separated by commas; auto: the cameras that the policy uses",
    ),
    LaunchArgument(
        "sim",
        "true",
        "false: drive the real robot (interfaces.real of its profile)",
        ("true", "false"),
    ),
    LaunchArgument(
        "drive",
        "false",
        "true: the policy drives at once, in simulation episode after episode; false: it waits for "
        "arbiter_node/hand_back",
        ("true", "false"),
    ),
    LaunchArgument(
        "episodes", "0", "With drive in simulation: episodes before everything ends; 0: never"
    ),
    LOCKSTEP,
    INFERENCE_TICKS,
    LaunchArgument("execution", "auto", "How action chunks are executed", EXECUTIONS),
    LaunchArgument(
        "executed_steps",
        "0",
        "Steps of each action chunk that are executed; 0: as the checkpoint says",
    ),
    LaunchArgument(
        "members",
        "",
        "Further checkpoints, as a;b, whose disagreement with the first measures its doubt; auto: "
        "those that dagger trained beside it",
    ),
    LaunchArgument(
        "gate",
        "",
        "Folder with the thresholds of doubt and risk above which the policy asks for help (see "
        "robot-learning gate); auto: the gate beside the checkpoint",
    ),
    LaunchArgument(
        "ask_above",
        "auto",
        "Doubt above which the policy asks for help and the arm holds; auto: as the gate says, or "
        "never without a gate",
    ),
    LaunchArgument("device", "auto", "Where the network runs", DEVICES),
    LaunchArgument(
        "backend", "auto", "Engine that runs the network; auto: the fastest, as measured", BACKENDS
    ),
)


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What starting needs to know of a checkpoint; the policy node checks the rest."""

    robot: str = ""
    task: str = ""
    cameras: tuple[str, ...] = ()


def checkpoint_facts(folder: str) -> CheckpointFacts:
    """Read them from the details of the checkpoint that a folder stands for.

    Raises:
        ConfigurationError: there is no checkpoint, it is damaged, or it is none for a robot.
    """
    header = read_checkpoint_header(best_checkpoint(folder))
    facts = CheckpointFacts(header.robot, header.task, header.cameras)
    environment = None if facts.robot else header.environment
    if environment is not None:
        raise ConfigurationError(
            f"{folder}: trained in {environment}, and for no robot: `robot-learning evaluate "
            f"{folder}` plays it there, and a program of your own lets it act with "
            "robot_learning.policies.load_policy (see examples/use_policy.py)"
        )
    return facts


def serve_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """Robot (when simulated), arbiter and policy; who leads its episodes, where it drives there.

    A simulated robot is enabled at start, a real one by a person.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    # Who serves a policy mostly wants to see it, or to take over from it.
    lockstep = is_lockstep(arguments, by_default=False)
    folder = arguments["checkpoint"]
    if folder:
        folder = str(best_checkpoint(folder))
        arguments = {**arguments, "checkpoint": folder}
    facts = checkpoint_facts(folder) if folder else CheckpointFacts()
    chosen = {
        **FIXED,
        **arguments,
        "robot": arguments["robot"] or facts.robot or "desk_arm",
        "task": arguments["task"] or facts.task or "lift",
    }
    if arguments["cameras"] == "auto":
        chosen["cameras"] = ",".join(facts.cameras) or "none"
    more = _asking(arguments)
    is_led = parse_flag("drive", arguments["drive"]) and parse_flag("sim", arguments["sim"])
    if is_led:
        # Whoever leads the episodes lets the policy drive in each.
        more["drive"] = False
    elif parse_integer("episodes", arguments["episodes"]):
        raise ConfigurationError("episodes: are led with drive:=true and a simulated robot alone")
    nodes = [*robot_and_arbiter(chosen), policy_node(chosen, more)]
    if is_led:
        nodes.append(_rollout_node(chosen))
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def _rollout_node(arguments: Mapping[str, str]) -> NodeSpec:
    """Leads from episode to episode; with so many of them its end is that of everything."""
    parameters: dict[str, ParameterValue] = {
        "task": arguments["task"],
        "episodes": parse_integer("episodes", arguments["episodes"]),
        "seed": parse_integer("seed", arguments["seed"]),
    }
    return NodeSpec(
        executable="rollout_node",
        name="rollout_node",
        namespace=arguments["namespace"],
        parameters=(parameters, *user_parameters(arguments["params_file"])),
        log_level=arguments["log_level"],
        on_exit=OnExit.FINISH,
    )


def _asking(arguments: Mapping[str, str]) -> dict[str, ParameterValue]:
    """When the policy asks for help, as parameters of its node."""
    checkpoint, members, gate = (arguments[name] for name in ("checkpoint", "members", "gate"))
    folders = members.split(MEMBER_SEPARATOR)
    if members == AUTO:
        folders = ensemble_members(checkpoint)
        if not folders:
            raise ConfigurationError(f"members: none were trained beside '{checkpoint}'; name them")
    if gate == AUTO:
        gate = known_gate(checkpoint)
        if not gate:
            raise ConfigurationError(
                f"gate: there is none beside '{checkpoint}'; robot-learning gate makes one"
            )
    for folder in filter(None, folders):
        checkpoint_facts(folder)
    ask_above = arguments["ask_above"]
    if (gate or ask_above != AUTO) and not members:
        text = "doubt is that of an ensemble; name its members (auto: those beside the checkpoint)"
        raise ConfigurationError(f"gate, ask_above: {text}")
    if gate and not has_gate(Path(_resolved(gate))):
        raise ConfigurationError(f"{gate}: no gate here; robot-learning gate makes one")
    return {
        "members": MEMBER_SEPARATOR.join(
            _resolved(str(best_checkpoint(folder))) for folder in folders if folder
        ),
        "gate": _resolved(gate),
        "ask_above": 0.0 if ask_above == AUTO else parse_number("ask_above", ask_above),
    }


def _resolved(folder: str) -> str:
    return str(Path(folder).expanduser().resolve()) if folder else ""


def policy_node(
    arguments: Mapping[str, str], more: Mapping[str, ParameterValue] | None = None
) -> NodeSpec:
    """The policy; `more` parameters come after the shipped ones, the user's file last."""
    names = ("robot", "execution", "device", "backend")
    parameters: dict[str, ParameterValue] = {name: arguments[name] for name in names}
    folder = arguments["checkpoint"]
    parameters |= {
        "checkpoint": _resolved(folder),
        "executed_steps": parse_integer("executed_steps", arguments["executed_steps"]),
        "seed": parse_integer("seed", arguments["seed"]),
        "drive": parse_flag("drive", arguments["drive"]),
        # A simulated robot can wait.
        "real_time": not parse_flag("sim", arguments["sim"]),
        "inference_ticks": parse_integer("inference_ticks", arguments["inference_ticks"]),
        **(more or {}),
    }
    return NodeSpec(
        executable="policy_node",
        name="policy_node",
        namespace=arguments["namespace"],
        parameters=(
            shipped_parameters("policy_node"),
            parameters,
            *user_parameters(arguments["params_file"]),
        ),
        log_level=arguments["log_level"],
    )


SERVE = LaunchGroup("serve", "a robot, the arbiter and a trained policy", ARGUMENTS, serve_plan)
