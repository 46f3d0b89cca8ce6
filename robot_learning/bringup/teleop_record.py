"""The group `teleop_record`: teleoperation, recorded in full, episode by episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from robot_learning.bringup.arguments import Lockstep, NodeArguments, RobotChoice, node_spec
from robot_learning.bringup.lockstep import arranged, is_lockstep
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    OnExit,
    middleware_environment,
    resume_command,
)
from robot_learning.bringup.teleop import (
    SCRIPTED,
    TeleopArguments,
    drawing_settings,
    noise_settings,
    teleop_nodes,
)
from robot_learning.nodes.recorder import (
    ImageStorage,
    ImageTransport,
    Operator,
    Resume,
    RoundNumber,
    RowRate,
)
from robot_learning.nodes.session import EpisodeTimeout, SessionEpisodes

InstructionOrTask = Annotated[str, Meta(description="The task in words; not given: its name")]


@dataclass(frozen=True, kw_only=True)
class TeleopRecordArguments(TeleopArguments):
    """Arguments of the group `teleop_record`."""

    lockstep: Lockstep | None = None
    dataset: (
        Annotated[str, Meta(description="Folder of the dataset; not given: data/<robot>_<task>")]
        | None
    ) = None
    resume: Resume = True
    episodes: SessionEpisodes = 10
    operator: Operator = ""
    instruction: InstructionOrTask | None = None
    round: RoundNumber = 0
    rate_hz: RowRate = 50.0
    image_transport: ImageTransport = "compressed"
    image_storage: ImageStorage = "jpeg"
    episode_timeout_s: EpisodeTimeout = 30.0


def teleop_record_plan(arguments: TeleopRecordArguments) -> LaunchPlan:
    """Robot (when simulated), arbiter, the operator's device, recorder and session.

    The session ends everything once it has its episodes.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    lockstep = is_lockstep(
        arguments.lockstep,
        by_default=True,
        device=arguments.device,
        simulated=arguments.sim,
    )
    noise = noise_settings(arguments)
    # Each episode is a demonstration of its own, which the session begins.
    led = {"demonstrating": False, "demonstrations_follow": "parameter"}
    nodes = teleop_nodes(
        arguments,
        {**noise, **drawing_settings(arguments), **led},
        {"image_transport": arguments.image_transport},
    )
    settings = {
        "dataset": arguments.dataset or f"data/{arguments.robot}_{arguments.task}",
        "resume": arguments.resume,
        "operator": arguments.operator,
        "operator_device": arguments.device,
        "instruction": arguments.instruction or arguments.task,
        "round": arguments.round,
        "rate_hz": arguments.rate_hz,
        "image_transport": arguments.image_transport,
        "image_storage": arguments.image_storage,
        **noise,
    }
    nodes += [recorder_node(arguments, arguments.choice, settings), _session_node(arguments)]
    plan = LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())
    return arranged(plan, lockstep)


def recorder_node(
    arguments: NodeArguments, choice: RobotChoice, more: Mapping[str, Any]
) -> NodeSpec:
    """The recorder of what a robot does.

    Args:
        arguments: what every node of the group is given.
        choice: the robot, its task and the cameras to record.
        more: further settings of the node, by name; they override those above.
    """
    settings = {
        "robot": choice.robot,
        "task": choice.task,
        "simulated": choice.simulated,
        "cameras": choice.cameras,
        **more,
    }
    return node_spec("recorder_node", arguments, settings)


def _session_node(arguments: TeleopRecordArguments) -> NodeSpec:
    settings = {
        "episodes": arguments.episodes,
        "unattended": arguments.device == SCRIPTED,
        "simulated": arguments.sim,
        "seed": arguments.seed,
        "episode_timeout_s": arguments.episode_timeout_s,
        # The session knows how many episodes are still missing.
        "resume_command": resume_command("record", arguments, without=("episodes",)),
    }
    return node_spec("session_node", arguments, settings, on_exit=OnExit.FINISH)


TELEOP_RECORD = LaunchGroup(
    "teleop_record",
    "teleoperation, recorded episode by episode",
    TeleopRecordArguments,
    teleop_record_plan,
)
