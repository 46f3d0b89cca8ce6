"""The group `dagger`: in rounds, a policy drives, a person corrects it, and it is retrained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.arguments import (
    DeviceArguments,
    PolicyArguments,
    RobotChoice,
    SceneArguments,
    node_spec,
)
from robot_learning.bringup.dataset_metadata import DatasetMetadata, dataset_metadata, holds_dataset
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    OnExit,
    middleware_environment,
    resume_command,
)
from robot_learning.bringup.serve import (
    CheckpointMetadata,
    checkpoint_metadata,
    policy_node,
    resolved,
)
from robot_learning.bringup.teleop import SCRIPTED, teleop_node
from robot_learning.bringup.teleop_record import InstructionOrTask, recorder_node
from robot_learning.core.decoding import decode
from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.options.operator import EngageAbove, ReleaseBelow
from robot_learning.core.options.option import options_of
from robot_learning.core.options.serving import Device
from robot_learning.core.options.texts import text_of
from robot_learning.headers.rounds_header import NAME, read_rounds_header
from robot_learning.nodes.dagger import AskAbove, RoundOptions, TrainCommand
from robot_learning.nodes.session import EpisodeTimeout

_STATUS_RATE_HZ = 20.0
_NEVER, _AS_OPERATOR = "never", "auto"
BUDGETED = ("ensemble", "thrifty")
_CALLED_S = 0.5
# What names the run itself, in which its dataset is stated.
_OF_THE_START = ("resume", "dataset", "out")


@dataclass(frozen=True, kw_only=True)
class RoundArguments:
    """The data of the DAgger rounds, and what `dagger_node` is told in other words."""

    dataset: (
        Annotated[
            str,
            Meta(
                description="Dataset of the demonstrations, to which rounds are added; not given: "
                "data/<robot>_<task>"
            ),
        ]
        | None
    ) = None
    out: Annotated[str, Meta(description="Output folder; not given: runs/<task>-dagger")] | None = (
        None
    )
    train_command: TrainCommand | None = None
    ask_above: Annotated[
        str,
        Meta(
            description="With the gate human: disagreement above which the policy asks for help as "
            "well: a number, never, or auto (the disagreement at the takeovers so far)"
        ),
    ] = _NEVER
    robot: (
        Annotated[str, Meta(description="Robot profile; not given: the robot of the dataset")]
        | None
    ) = None
    task: (
        Annotated[
            str,
            Meta(description="Task whose scene is simulated; not given: the task of the dataset"),
        ]
        | None
    ) = None
    cameras: (
        Annotated[
            tuple[str, ...],
            Meta(description="Cameras to record; auto: the cameras of the dataset"),
        ]
        | None
    ) = None


@dataclass(frozen=True, kw_only=True)
class DaggerArguments(
    PolicyArguments, DeviceArguments, SceneArguments, RoundOptions, RoundArguments
):
    """Arguments of the group `dagger`."""

    operator: (
        Annotated[
            str,
            Meta(description="Name of the person who corrects; not given: the name of the device"),
        ]
        | None
    ) = None
    instruction: InstructionOrTask | None = None
    episode_timeout_s: EpisodeTimeout = 30.0
    engage_above: EngageAbove = 0.08
    release_below: ReleaseBelow = 0.03
    compute: Device = "auto"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The arguments, completed from the dataset, the checkpoint and a resumed run.

    Attributes:
        robot: the robot that is driven, its scene and its cameras.
        dataset: folder of the dataset.
        out: folder of the run.
        checkpoint: checkpoint of the first round's policy; None where it is trained first.
        gate: kind of gate that decides on takeovers; None in a new run without an explicit one.
        metadata: robot, task, rate and cameras of the dataset.
    """

    robot: RobotChoice
    dataset: str
    out: str
    checkpoint: str | None
    gate: str | None
    metadata: DatasetMetadata

    @property
    def image_transport(self) -> str:
        """Image topics that are recorded."""
        return "raw" if self.metadata.lossless else "compressed"


def dagger_plan(arguments: DaggerArguments) -> LaunchPlan:
    """Robot (when simulated), arbiter, the operator's device, policy, recorder, and the rounds.

    Nothing is enabled at start: the rounds enable a simulated robot, a person a real one. With
    the scripted operator the rounds go by themselves. `dagger_node` ends everything once they
    are done.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(
        arguments.lockstep,
        by_default=True,
        device=arguments.device,
        simulated=arguments.sim,
    )
    chosen = _chosen(arguments)
    # The rounds say what to serve as soon as there is a policy.
    idle = {
        "autostart": False,
        "drive": False,
        "device": arguments.compute,
        "seed": arguments.seed,
    }
    nodes = [
        *robot_and_arbiter(
            arguments,
            chosen.robot,
            {"autostart": False},
            {"image_transport": chosen.image_transport},
            by_hand=arguments.device != SCRIPTED,
        ),
        _operator(arguments, chosen),
        policy_node(arguments, arguments, chosen.robot, idle),
        recorder_node(arguments, chosen.robot, _recorder_settings(arguments, chosen)),
        _dagger_node(arguments, chosen),
    ]
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def arguments_before(arguments: DaggerArguments) -> Mapping[str, str]:
    """The launch arguments that the run to be resumed was last started with; none of a new run.

    Raises:
        ConfigurationError: the run is damaged, or what was given to find it by is wrong.
    """
    if not arguments.resume:
        return {}
    out = arguments.out
    if not out and arguments.dataset:
        out = _run_folder(arguments, _metadata(arguments.dataset, None).task)
    folder = Path(out or "").expanduser()
    return read_rounds_header(folder).arguments if out and (folder / NAME).is_file() else {}


def _run_folder(arguments: DaggerArguments, task: str) -> str:
    return arguments.out or f"runs/{arguments.task or task}-dagger"


def _chosen(arguments: DaggerArguments) -> _Chosen:
    out, dataset, gate = arguments.out, arguments.dataset, None
    if arguments.resume and not dataset:
        dataset, gate = _resumed(out)
    checkpoint = arguments.checkpoint and str(best_checkpoint(arguments.checkpoint))
    metadata = _metadata(dataset, checkpoint)
    robot, task = arguments.robot or metadata.robot, arguments.task or metadata.task
    out = _run_folder(arguments, task)
    if not arguments.resume and (Path(out).expanduser() / NAME).exists():
        raise ConfigurationError(used_folder(out))
    if arguments.resume and arguments.dataset:
        _, gate = _resumed(out)
    cameras = arguments.cameras or metadata.cameras or ("none",)
    return _Chosen(
        robot=RobotChoice(robot, task, cameras, arguments.sim),
        dataset=dataset or f"data/{robot}_{task}",
        out=out,
        checkpoint=checkpoint,
        gate=arguments.gate or gate,
        metadata=metadata,
    )


def _metadata(dataset: str | None, checkpoint: str | None) -> DatasetMetadata:
    """What is known of the dataset, or of the first checkpoint while there is no dataset.

    If no dataset was named, the nodes look for it.
    """
    if dataset and (holds_dataset(dataset) or not checkpoint):
        return dataset_metadata(dataset)
    metadata = checkpoint_metadata(checkpoint) if checkpoint else CheckpointMetadata()
    return DatasetMetadata(
        metadata.robot or "desk_arm", metadata.task or "lift", cameras=metadata.cameras
    )


def _resumed(out: str | None) -> tuple[str, str | None]:
    """Dataset and gate of the run that is resumed."""
    folder = Path(out or "").expanduser()
    if not out or not (folder / NAME).is_file():
        text = f"name the folder of the run: no {NAME} in '{out or ''}'"
        if out and folder.is_dir():
            text += "; a run that ended before it began is begun again without resume"
        raise ConfigurationError(f"resume: {text}")
    header = read_rounds_header(folder)
    return header.dataset, header.gate


def _operator(arguments: DaggerArguments, chosen: _Chosen) -> NodeSpec:
    if arguments.device != SCRIPTED:
        return teleop_node(arguments, arguments, chosen.robot, arguments.seed)
    traits: dict[str, Any] = {
        # Nobody reads the status line of a script.
        "status": "none",
        "operator.engage_above": arguments.engage_above,
        "operator.release_below": arguments.release_below,
    }
    if chosen.gate in BUDGETED:
        # An operator called by a budget hands back as soon as the policy would do the same.
        traits["operator.min_asked_s"] = _CALLED_S
    node = teleop_node(arguments, arguments, chosen.robot, arguments.seed, traits)
    return replace(node, owns_terminal=False)


def _recorder_settings(arguments: DaggerArguments, chosen: _Chosen) -> dict[str, Any]:
    return {
        "dataset": chosen.dataset,
        # It holds the demonstrations already; dagger_node checks whether the run is new.
        "resume": True,
        "as_before": True,
        "operator": arguments.operator or arguments.device,
        "operator_device": arguments.device,
        "instruction": arguments.instruction or chosen.robot.task,
        "rate_hz": chosen.metadata.rate_hz,
        "image_transport": chosen.image_transport,
        "image_storage": "lossless" if chosen.metadata.lossless else "jpeg",
        "status_rate_hz": _STATUS_RATE_HZ,
    }


def _dagger_node(arguments: DaggerArguments, chosen: _Chosen) -> NodeSpec:
    settings = {
        **{option.name: getattr(arguments, option.name) for option in fields(RoundOptions)},
        "run": chosen.out,
        "checkpoint": chosen.checkpoint,
        "command": arguments.train_command,
        **_asking(arguments, chosen),
        "seed": arguments.seed,
        "unattended": arguments.device == SCRIPTED,
        "simulated": arguments.sim,
        "episode_timeout_s": arguments.episode_timeout_s,
        "resume_command": resume_command("dagger", replace(arguments, out=chosen.out)),
        "launch_arguments": json.dumps(_kept(arguments)),
    }
    return node_spec("dagger_node", arguments, settings, on_exit=OnExit.FINISH)


def _kept(arguments: DaggerArguments) -> dict[str, str]:
    """What a run that is resumed keeps of its arguments, as texts."""
    absolute = replace(
        arguments,
        checkpoint=resolved(arguments.checkpoint),
        robot=_absolute(arguments.robot),
        map=_absolute(arguments.map),
        params_file=_absolute(arguments.params_file),
    )
    return {
        option.name: text_of(option, getattr(absolute, option.name))
        for option in options_of(DaggerArguments)
        if option.name not in _OF_THE_START
    }


def _absolute(given: str | None) -> str | None:
    """A path that does not depend on where a run is resumed; a bare name stays as it is."""
    is_path = given is not None and ("/" in given or given.endswith((".yaml", ".yml")))
    return resolved(given) if is_path else given


def _asking(arguments: DaggerArguments, chosen: _Chosen) -> dict[str, Any]:
    """Settings of `dagger_node` for a policy that asks for help in addition to a human gate."""
    text = arguments.ask_above
    if text == _NEVER:
        return {}
    if chosen.gate in BUDGETED:
        problem = f"the gate {chosen.gate} finds out itself when the policy asks; give target_rate"
        raise ConfigurationError(f"ask_above: {problem}")
    if text == _AS_OPERATOR:
        return {"ask_as_operator": True}
    return {"ask_above": decode(_number(text), AskAbove, key="ask_above")}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


DAGGER = LaunchGroup(
    "dagger",
    "a policy, a person who corrects it, and its training, in rounds",
    DaggerArguments,
    dagger_plan,
    arguments_before,
)
