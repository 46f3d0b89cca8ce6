"""Arguments that several groups have, and the nodes that are made with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from robot_learning.bringup.plan import NodeSpec, OnExit, node_parameters, user_parameters
from robot_learning.core.options.serving import Backend, ChunkExecution, ExecutedSteps
from robot_learning.nodes.policy import InferenceTicks
from robot_learning.nodes.robot import SceneSeed
from robot_learning.nodes.teleop import Device, DeviceMap, Panel

Namespace = Annotated[str, Meta(description="Namespace of every node and topic")]
LogLevel = Annotated[
    Literal["debug", "info", "warn", "error", "fatal"],
    Meta(description="Lowest severity to log"),
]
Lockstep = Annotated[
    bool,
    Meta(
        description="Step all nodes in one process on simulated time, as fast as this machine can, "
        "so that equal seeds give equal results; auto: if the robot is simulated and nobody drives "
        "it by hand"
    ),
]
Simulate = Annotated[
    bool, Meta(description="false: drive the real robot (interfaces.real of its profile)")
]


@dataclass(frozen=True, kw_only=True)
class NodeArguments:
    """What every node of a group is given."""

    namespace: Namespace = ""
    params_file: (
        Annotated[
            str,
            Meta(description="YAML file with node parameters, which override the arguments"),
        ]
        | None
    ) = None
    log_level: LogLevel = "info"


@dataclass(frozen=True, kw_only=True)
class SceneArguments(NodeArguments):
    """How a simulated scene begins and is shown."""

    seed: SceneSeed = 0
    headless: (
        Annotated[
            bool,
            Meta(
                description="false shows the scene in a window; auto: where a person drives and "
                "there is a screen"
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, kw_only=True)
class DeviceArguments:
    """What an operator drives with."""

    sim: Simulate = True
    device: Device = "keyboard"
    map: DeviceMap | None = None
    panel: Panel = "none"


@dataclass(frozen=True, kw_only=True)
class PolicyArguments:
    """How a policy is served."""

    lockstep: Lockstep | None = None
    inference_ticks: InferenceTicks | None = None
    execution: ChunkExecution = "auto"
    executed_steps: ExecutedSteps | None = None
    backend: Backend = "auto"


@dataclass(frozen=True, slots=True)
class RobotChoice:
    """What is driven.

    Attributes:
        robot: the robot's profile: a name, a folder or a robot.yaml.
        task: name of the task whose scene is simulated.
        cameras: names of the cameras to publish and record; `all`, or `none`.
        simulated: whether the robot is a simulated one.
    """

    robot: str
    task: str
    cameras: tuple[str, ...]
    simulated: bool = True


def node_spec(
    executable: str,
    arguments: NodeArguments,
    values: Mapping[str, Any],
    *,
    remappings: Mapping[str, str] | None = None,
    on_exit: OnExit = OnExit.FAIL,
    owns_terminal: bool = False,
) -> NodeSpec:
    """A node with these settings; the user's own file comes last and wins.

    Args:
        executable: the node's module in `robot_learning.ros`, which is also its name.
        arguments: what every node of the group is given.
        values: settings of the node, by their full names; None leaves a setting at its default.
        remappings: topic or service -> its new name; None for none.
        on_exit: what the end of the node means for the others.
        owns_terminal: whether its output is shown as it is, without the node's name.

    Raises:
        ConfigurationError: a setting is wrong, or the user's file is not there.
    """
    parameters = node_parameters(executable, values)
    return NodeSpec(
        executable=executable,
        name=executable,
        namespace=arguments.namespace,
        parameters=(parameters, *user_parameters(arguments.params_file)),
        remappings=remappings or {},
        log_level=arguments.log_level,
        on_exit=on_exit,
        owns_terminal=owns_terminal,
    )
