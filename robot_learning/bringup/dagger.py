"""The group `dagger`: a policy drives, a person corrects it, it is trained anew; in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.dataset_facts import INFO_NAME, DatasetFacts, dataset_facts
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
    resume_command,
    user_parameters,
)
from robot_learning.bringup.serve import (
    BACKENDS,
    EXECUTIONS,
    CheckpointFacts,
    checkpoint_facts,
    policy_node,
)
from robot_learning.bringup.serve import DEVICES as COMPUTE_DEVICES
from robot_learning.bringup.teleop import ARGUMENTS as TELEOP_ARGUMENTS
from robot_learning.bringup.teleop import FIXED, SCRIPTED, teleop_node
from robot_learning.bringup.teleop_record import recorder_node
from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.core.errors import ConfigurationError
from robot_learning.headers.rounds_header import NAME, read_rounds_header

SHARED = (
    *("seed", "headless", "namespace", "params_file", "log_level"),
    *("sim", "device", "map", "panel"),
)
_STATUS_RATE_HZ = 20.0
_ASK = {"never": 0.0, "auto": -1.0}
AUTO, BUDGETED = "auto", ("ensemble", "thrifty")
_CALLED_S = 0.5

ARGUMENTS = (
    LaunchArgument(
        "dataset",
        "",
        "Dataset of the demonstrations, to which rounds are added (default: data/<robot>_<task>)",
    ),
    LaunchArgument("out", "", "Output folder (default: runs/<task>-dagger)"),
    LaunchArgument("resume", "false", "Continue the run in that folder", ("true", "false")),
    LaunchArgument(
        "checkpoint",
        "",
        "Checkpoint of the first policy (default: one is trained from the demonstrations)",
    ),
    LaunchArgument("rounds", "2", "Rounds to run; 0: until it is stopped"),
    LaunchArgument(
        "episodes_per_round", "5", "Episodes in each round; 0: until ~/finish_round is called"
    ),
    LaunchArgument(
        "relabel",
        "auto",
        "Who labels the policy's rows after each round; auto: nobody, or as in the resumed run",
        ("auto", "none", "expert"),
    ),
    LaunchArgument(
        "policy", "", "Policy family to train (default: deterministic, or as in the resumed run)"
    ),
    LaunchArgument(
        "preset",
        "auto",
        "Size of the policy; auto: small, or as in the resumed run",
        ("auto", "small", "reference"),
    ),
    LaunchArgument("settings", "", "Further settings of the training: a JSON mapping, or a=1;b=2"),
    LaunchArgument(
        "train_command",
        "auto",
        "Where policies are trained; external: elsewhere, wait for the checkpoint; auto: here, or "
        "as in the resumed run",
        ("auto", "here", "external"),
    ),
    LaunchArgument(
        "gate",
        "auto",
        "Who decides when to take over: human (HG-DAgger); ensemble or thrifty: the policy asks "
        "for help and the arm holds; auto: human, or as in the resumed run",
        (AUTO, "human", *BUDGETED),
    ),
    LaunchArgument(
        "target_rate",
        "0",
        "For ensemble and thrifty: share of the policy's steps in which doubt, and risk, may ask "
        "for help; 0: 0.1, or as in the resumed run",
    ),
    LaunchArgument(
        "members",
        "0",
        "Policies to train in each round, whose disagreement measures doubt; 0: one (3 if the "
        "policy asks for help), or as in the resumed run",
    ),
    LaunchArgument(
        "ask_above",
        "never",
        "With the gate human: doubt above which the policy asks for help as well: a number, "
        "never, or auto (the doubt at the takeovers so far)",
    ),
    LaunchArgument("robot", "", "Robot profile (default: the robot of the dataset)"),
    LaunchArgument("task", "", "Task whose scene is simulated (default: the task of the dataset)"),
    LaunchArgument("cameras", "auto", "Cameras to record; auto: the cameras of the dataset"),
    *(argument for argument in TELEOP_ARGUMENTS if argument.name in SHARED),
    LaunchArgument(
        "operator", "", "Name of the person who corrects (default: the name of the device)"
    ),
    LaunchArgument("instruction", "", "The task in words (default: its name)"),
    LaunchArgument(
        "episode_timeout_s", "30", "Scripted operator: seconds after which an episode has failed"
    ),
    LaunchArgument(
        "engage_above",
        "0.08",
        "Scripted operator: deviation from the expert, as a share of the joint's range, above "
        "which it takes over",
    ),
    LaunchArgument(
        "release_below", "0.03", "Scripted operator: deviation below which it hands back"
    ),
    LaunchArgument(
        "step_in_s",
        "10",
        "Scripted operator: seconds without progress after which it takes over",
    ),
    LOCKSTEP,
    INFERENCE_TICKS,
    LaunchArgument("execution", "auto", "How action chunks are executed", EXECUTIONS),
    LaunchArgument(
        "executed_steps",
        "0",
        "Steps of each action chunk that are executed; 0: as the checkpoint says",
    ),
    LaunchArgument("compute", "auto", "Where the network runs", COMPUTE_DEVICES),
    LaunchArgument(
        "backend", "auto", "Engine that runs the network; auto: the fastest, as measured", BACKENDS
    ),
)


def dagger_plan(arguments: Mapping[str, str]) -> LaunchPlan:
    """Robot (when simulated), arbiter, the operator's device, policy, recorder, and the rounds.

    Nothing is enabled at start: the rounds enable a simulated robot, a person a real one. With
    the scripted operator the rounds go by themselves. `dagger_node` ends everything once they
    are done.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(arguments, by_default=True, device=arguments["device"])
    chosen = _chosen(arguments)
    nodes = [
        *robot_and_arbiter(
            {**FIXED, **chosen},
            {"autostart": False},
            {"image_transport": chosen["image_transport"]},
            by_hand=chosen["device"] != SCRIPTED,
        ),
        _operator(chosen),
        # Told by the rounds what to serve, once there is something.
        policy_node(
            {**chosen, "device": chosen["compute"], "checkpoint": "", "drive": "false"},
            {"autostart": False},
        ),
        recorder_node(chosen, {"as_before": True, "status_rate_hz": _STATUS_RATE_HZ}),
        _dagger_node(
            chosen,
            resume_command(DAGGER.name, ARGUMENTS, {**arguments, "out": chosen["out"]}),
        ),
    ]
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def _chosen(arguments: Mapping[str, str]) -> dict[str, str]:
    """The arguments, completed by what dataset, checkpoint and a resumed run say."""
    resume = parse_flag("resume", arguments["resume"])
    out, dataset, gate = arguments["out"], arguments["dataset"], AUTO
    if resume and not dataset:
        dataset, gate = _resumed(out)
    checkpoint = arguments["checkpoint"] and str(best_checkpoint(arguments["checkpoint"]))
    facts = _facts(dataset, checkpoint)
    robot, task = arguments["robot"] or facts.robot, arguments["task"] or facts.task
    out = out or f"runs/{task}-dagger"
    if resume and arguments["dataset"]:
        _, gate = _resumed(out)
    device = arguments["device"]
    cameras = ",".join(facts.cameras) or "none"
    return {
        **arguments,
        "checkpoint": checkpoint,
        "dataset": dataset or f"data/{robot}_{task}",
        "robot": robot,
        "task": task,
        "out": out,
        "cameras": cameras if arguments["cameras"] == "auto" else arguments["cameras"],
        "image_transport": "raw" if facts.lossless else "compressed",
        "image_storage": "lossless" if facts.lossless else "jpeg",
        "rate_hz": str(facts.rate_hz),
        "operator": arguments["operator"] or device,
        "gate_in_force": gate if arguments["gate"] == AUTO else arguments["gate"],
        "round": "0",
        # The dataset holds the demonstrations already; whether the run is new, dagger_node asks.
        "resume": "true",
        "resume_run": arguments["resume"],
    }


def _facts(dataset: str, checkpoint: str) -> DatasetFacts:
    """Of the dataset; while there is none, of the checkpoint that the first episodes are made with.

    A dataset that was not named is looked for by the nodes.
    """
    exists = bool(dataset) and (Path(dataset).expanduser() / INFO_NAME).is_file()
    if exists or (dataset and not checkpoint):
        return dataset_facts(dataset)
    facts = checkpoint_facts(checkpoint) if checkpoint else CheckpointFacts()
    return DatasetFacts(facts.robot or "desk_arm", facts.task or "lift", cameras=facts.cameras)


def _resumed(out: str) -> tuple[str, str]:
    """Dataset and gate of the run that is resumed."""
    folder = Path(out).expanduser()
    if not out or not (folder / NAME).is_file():
        raise ConfigurationError(f"resume: name the folder of the run: no {NAME} in '{out}'")
    header = read_rounds_header(folder)
    return header.dataset, header.gate or AUTO


def _operator(arguments: Mapping[str, str]) -> NodeSpec:
    if arguments["device"] != SCRIPTED:
        return teleop_node(arguments)
    names = ("engage_above", "release_below")
    traits = {f"operator.{name}": parse_number(name, arguments[name]) for name in names}
    if arguments["gate_in_force"] in BUDGETED:
        # Who is called by a budget goes again as soon as the policy would do the same.
        traits["operator.min_asked_s"] = _CALLED_S
    # Nobody reads the status line of a script.
    return replace(teleop_node(arguments, {"status": "none", **traits}), owns_terminal=False)


def _dagger_node(arguments: Mapping[str, str], resume: str) -> NodeSpec:
    names = ("relabel", "policy", "preset", "settings", "checkpoint")
    parameters: dict[str, ParameterValue] = {name: arguments[name] for name in names}
    numbers = ("rounds", "episodes_per_round", "seed", "members")
    parameters |= {name: parse_integer(name, arguments[name]) for name in numbers}
    parameters |= {
        "run": arguments["out"],
        "resume": parse_flag("resume", arguments["resume_run"]),
        "command": arguments["train_command"],
        "unattended": arguments["device"] == SCRIPTED,
        "simulated": parse_flag("sim", arguments["sim"]),
        "ask_above": _ask_above(arguments),
        "gate": arguments["gate"],
        "target_rate": _share("target_rate", arguments["target_rate"]),
        "resume_command": resume,
    }
    seconds = ("episode_timeout_s", "step_in_s")
    parameters |= {name: parse_number(name, arguments[name]) for name in seconds}
    return NodeSpec(
        executable="dagger_node",
        name="dagger_node",
        namespace=arguments["namespace"],
        parameters=(parameters, *user_parameters(arguments["params_file"])),
        log_level=arguments["log_level"],
        on_exit=OnExit.FINISH,
    )


def _ask_above(arguments: Mapping[str, str]) -> float:
    """As `dagger_node` takes it."""
    text, gate = arguments["ask_above"], arguments["gate_in_force"]
    if text != "never" and gate in BUDGETED:
        raise ConfigurationError(
            f"ask_above: the gate {gate} finds out itself when the policy asks; give target_rate"
        )
    return _ASK[text] if text in _ASK else parse_number("ask_above", text)


def _share(name: str, text: str) -> float:
    share = parse_number(name, text)
    if not 0.0 <= share <= 1.0:
        raise ConfigurationError(f"{name}: expected a share from 0 to 1, found {text}")
    return share


DAGGER = LaunchGroup(
    "dagger",
    "a policy, a person who corrects it, and its training, in rounds",
    ARGUMENTS,
    dagger_plan,
)
