"""The group `serve`: a trained policy drives a simulated or a real robot, through the arbiter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.arguments import (
    NodeArguments,
    PolicyArguments,
    RobotChoice,
    SceneArguments,
    Simulate,
    node_spec,
)
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    OnExit,
    middleware_environment,
)
from robot_learning.core.ensemble_folders import (
    best_checkpoint,
    ensemble_members,
    has_gate,
    known_gate,
)
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.serving import Device
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.headers.checkpoint_header import read_checkpoint_header
from robot_learning.nodes.policy import AskAbove
from robot_learning.nodes.rollout import RolloutEpisodes

AUTO, MEMBER_SEPARATOR = "auto", ";"
# The robots that environments of the tasks have where none is named: for one arm, and for two.
_TASK_ROBOTS = ("desk_arm", "desk_duo")


@dataclass(frozen=True, kw_only=True)
class ServeArguments(PolicyArguments, SceneArguments):
    """Arguments of the group `serve`."""

    checkpoint: (
        Annotated[str, Meta(description="Folder of a checkpoint or of a training run")] | None
    ) = None
    robot: (
        Annotated[str, Meta(description="Robot profile; not given: the robot of the checkpoint")]
        | None
    ) = None
    task: (
        Annotated[
            str,
            Meta(description="Task whose scene is simulated; not given: the checkpoint's task"),
        ]
        | None
    ) = None
    cameras: (
        Annotated[
            tuple[str, ...],
            Meta(
                description="Cameras to publish, separated by commas; auto: the cameras that the "
                "policy uses"
            ),
        ]
        | None
    ) = None
    seed: Annotated[
        int,
        Meta(
            ge=0,
            description="Seed of the first scene; demonstrations begin at 0, so that the default "
            "shows scenes that none has seen",
        ),
    ] = FIRST_HELD_OUT_SEED
    sim: Simulate = True
    drive: Annotated[
        bool,
        Meta(
            description="true: the policy drives at once, in simulation episode after episode; "
            "false: it waits for arbiter_node/hand_back"
        ),
    ] = False
    episodes: RolloutEpisodes = 0
    members: (
        Annotated[
            str,
            Meta(
                description="Further checkpoints, as a;b, whose disagreement with the first "
                "is measured; auto: those that dagger trained next to it"
            ),
        ]
        | None
    ) = None
    gate: (
        Annotated[
            str,
            Meta(
                description="Folder with the thresholds of disagreement and risk above which the "
                "policy asks for help (see robot-learning gate); auto: that next to the checkpoint"
            ),
        ]
        | None
    ) = None
    ask_above: AskAbove | None = None
    device: Device = "auto"


@dataclass(frozen=True, slots=True)
class CheckpointMetadata:
    """What starting needs to know about a checkpoint; the policy node checks the rest."""

    robot: str = ""
    task: str = ""
    cameras: tuple[str, ...] = ()


def checkpoint_metadata(folder: str) -> CheckpointMetadata:
    """Read robot, task and cameras from a checkpoint or from the best one of a training run.

    Raises:
        ConfigurationError: there is no checkpoint, it is damaged, or it is not for a robot.
    """
    header = read_checkpoint_header(best_checkpoint(folder))
    if header.increments is not None:
        robot, task = header.increments
        return CheckpointMetadata(robot or _of_the_task(header.action_dim), task, header.cameras)
    metadata = CheckpointMetadata(header.robot, header.task, header.cameras)
    environment = None if metadata.robot else header.environment
    if environment is not None:
        raise ConfigurationError(
            f"{folder}: trained in {environment}, and for no robot: `robot-learning evaluate "
            f"{folder}` plays it there, and a program of your own lets it act with "
            "robot_learning.policies.load_policy (see examples/use_policy.py)"
        )
    return metadata


def _of_the_task(action_dim: int) -> str:
    """The robot that a task chose by itself, known by its joints; empty where none fits."""
    return next((r for r in _TASK_ROBOTS if len(load_profile(r).joints) == action_dim), "")


def serve_plan(arguments: ServeArguments) -> LaunchPlan:
    """Robot (when simulated), arbiter and policy, and what leads the episodes in simulation.

    A simulated robot is enabled at start, a real one by a person.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    # Whoever serves a policy mostly wants to watch it or to take over from it.
    lockstep = is_lockstep(arguments.lockstep, by_default=False, simulated=arguments.sim)
    folder = arguments.checkpoint and str(best_checkpoint(arguments.checkpoint))
    metadata = checkpoint_metadata(folder) if folder else CheckpointMetadata()
    choice = RobotChoice(
        arguments.robot or metadata.robot or "desk_arm",
        arguments.task or metadata.task or "lift",
        arguments.cameras or metadata.cameras or ("none",),
        arguments.sim,
    )
    asking = _asking(arguments, folder or "")
    is_led = arguments.drive and arguments.sim
    if arguments.episodes and not is_led:
        raise ConfigurationError("episodes: are led with drive:=true and a simulated robot alone")
    settings = {
        "checkpoint": resolved(folder),
        "device": arguments.device,
        "seed": arguments.seed,
        # The node that leads the episodes lets the policy drive in each of them.
        "drive": arguments.drive and not is_led,
        **asking,
    }
    nodes = robot_and_arbiter(arguments, choice)
    nodes.append(policy_node(arguments, arguments, choice, settings))
    if is_led:
        nodes.append(_rollout_node(arguments, choice.task))
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def _rollout_node(arguments: ServeArguments, task: str) -> NodeSpec:
    """Leads from episode to episode; after the requested number everything ends with it."""
    settings = {"task": task, "episodes": arguments.episodes, "seed": arguments.seed}
    return node_spec("rollout_node", arguments, settings, on_exit=OnExit.FINISH)


def _asking(arguments: ServeArguments, checkpoint: str) -> dict[str, Any]:
    """When the policy asks for help, as settings of its node."""
    members, gate = arguments.members or "", arguments.gate
    folders = members.split(MEMBER_SEPARATOR)
    if members == AUTO:
        folders = ensemble_members(checkpoint)
        if not folders:
            raise ConfigurationError(
                f"members: none were trained next to '{checkpoint}'; name them"
            )
    if gate == AUTO:
        gate = known_gate(checkpoint)
        if not gate:
            raise ConfigurationError(
                f"gate: there is none next to '{checkpoint}'; robot-learning gate makes one"
            )
    for folder in filter(None, folders):
        checkpoint_metadata(folder)
    if (gate or arguments.ask_above is not None) and not members:
        text = "disagreement takes an ensemble; name its members (auto: next to the checkpoint)"
        raise ConfigurationError(f"gate, ask_above: {text}")
    gate = resolved(gate)
    if gate and not has_gate(Path(gate)):
        raise ConfigurationError(f"{gate}: no gate here; robot-learning gate makes one")
    named = [resolved(str(best_checkpoint(folder))) for folder in folders if folder]
    return {
        "members": MEMBER_SEPARATOR.join(filter(None, named)) or None,
        "gate": gate,
        "ask_above": arguments.ask_above,
    }


def resolved(folder: str | None) -> str | None:
    """The absolute path of a folder, if one is named: nodes may run in another directory."""
    return str(Path(folder).expanduser().resolve()) if folder else None


def policy_node(
    arguments: NodeArguments,
    policy: PolicyArguments,
    choice: RobotChoice,
    more: Mapping[str, Any],
) -> NodeSpec:
    """The policy of a robot.

    Args:
        arguments: what every node of the group is given.
        policy: how the policy is served.
        choice: the robot that the policy drives.
        more: further settings of the node, by name; they override those above.
    """
    settings = {
        "robot": choice.robot,
        "execution": policy.execution,
        "executed_steps": policy.executed_steps,
        "backend": policy.backend,
        "inference_ticks": policy.inference_ticks,
        # A simulated robot can wait.
        "real_time": not choice.simulated,
        **more,
    }
    return node_spec("policy_node", arguments, settings)


SERVE = LaunchGroup(
    "serve", "a robot, the arbiter and a trained policy", ServeArguments, serve_plan
)
