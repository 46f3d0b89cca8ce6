"""The group `teleop`: a person drives a simulated or a real robot, through the arbiter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from robot_learning.bringup.arbiter import robot_and_arbiter
from robot_learning.bringup.arguments import (
    DeviceArguments,
    NodeArguments,
    RobotChoice,
    SceneArguments,
    node_spec,
)
from robot_learning.bringup.plan import (
    LaunchGroup,
    LaunchPlan,
    NodeSpec,
    middleware_environment,
)
from robot_learning.bringup.sim import Cameras
from robot_learning.core.errors import ConfigurationError
from robot_learning.nodes.noise import (
    NoiseCovariance,
    NoiseHoldTicks,
    NoiseSeed,
    NoiseSigma,
    NoiseTrace,
)
from robot_learning.nodes.shared import Robot, Task

SCRIPTED = "scripted"


@dataclass(frozen=True, kw_only=True)
class DartArguments:
    """DART noise on what an operator commands."""

    dart: Annotated[
        bool,
        Meta(
            description="Add DART noise to the operator's command, between the start and the stop "
            "key"
        ),
    ] = False
    dart_covariance: NoiseCovariance | None = None
    dart_sigma: NoiseSigma = 0.02
    dart_trace: NoiseTrace | None = None
    dart_hold_ticks: NoiseHoldTicks = 5
    dart_seed: NoiseSeed = 0


@dataclass(frozen=True, kw_only=True)
class TeleopArguments(DartArguments, DeviceArguments, SceneArguments):
    """Arguments of the group `teleop`."""

    robot: Robot = "desk_arm"
    task: Task = "lift"
    cameras: Cameras = ("all",)

    @property
    def choice(self) -> RobotChoice:
        """The robot that is driven, its scene and its cameras."""
        return RobotChoice(self.robot, self.task, self.cameras, self.sim)


def teleop_plan(arguments: TeleopArguments) -> LaunchPlan:
    """Robot (when simulated), arbiter, and the operator's device.

    A simulated robot is enabled at start. A real one waits for the operator: the key `n`, or
    the service `arbiter_node/enable`.

    Raises:
        ConfigurationError: an argument is wrong; nothing was started.
    """
    nodes = teleop_nodes(arguments, _dart_settings(arguments))
    return LaunchPlan(nodes=tuple(nodes), environment=middleware_environment())


def teleop_nodes(
    arguments: TeleopArguments,
    arbiter: Mapping[str, Any],
    robot: Mapping[str, Any] | None = None,
) -> list[NodeSpec]:
    """The nodes of `teleop_plan`.

    Args:
        arguments: arguments of the group.
        arbiter: further settings of the arbiter, by name.
        robot: further settings of a simulated robot, by name; None for none.

    Raises:
        ConfigurationError: an argument is wrong.
    """
    by_hand = arguments.device != SCRIPTED
    nodes = robot_and_arbiter(arguments, arguments.choice, arbiter, robot, by_hand=by_hand)
    return [*nodes, teleop_node(arguments, arguments, arguments.choice, arguments.seed)]


def noise_settings(arguments: DartArguments) -> dict[str, Any]:
    """The noise that the arbiter adds; none where it is off.

    Raises:
        ConfigurationError: a covariance is given, and the noise is off.
    """
    if not arguments.dart:
        if arguments.dart_covariance is not None:
            text = "dart_covariance is given, but the noise is off: add dart:=true"
            raise ConfigurationError(text)
        return {}
    covariance = arguments.dart_covariance
    return {
        "noise.covariance": covariance,
        # The covariance of a file replaces the scalar.
        "noise.sigma": arguments.dart_sigma if covariance is None else 0.0,
        "noise.trace": arguments.dart_trace,
    }


def drawing_settings(arguments: DartArguments) -> dict[str, Any]:
    """How the noise is drawn; nothing where it is off."""
    if not arguments.dart:
        return {}
    return {
        "noise.hold_ticks": arguments.dart_hold_ticks,
        "noise.seed": arguments.dart_seed,
    }


def _dart_settings(arguments: TeleopArguments) -> dict[str, Any]:
    noise = {**noise_settings(arguments), **drawing_settings(arguments)}
    if not arguments.dart:
        return noise
    # Nobody presses keys for the scripted operator: its session is one demonstration.
    scripted = arguments.device == SCRIPTED
    follows = "parameter" if scripted else "operator"
    return {**noise, "demonstrating": scripted, "demonstrations_follow": follows}


def teleop_node(
    arguments: NodeArguments,
    device: DeviceArguments,
    choice: RobotChoice,
    seed: int,
    more: Mapping[str, Any] | None = None,
) -> NodeSpec:
    """The device that a robot is driven with.

    Args:
        arguments: what every node of the group is given.
        device: the operator's device, its map and its panel.
        choice: the robot that is driven.
        seed: seed of a scripted operator's choices.
        more: further settings of the node, by name; they override those above. None for none.

    Raises:
        ConfigurationError: there is no such device, or the class of a user's own is none.
    """
    # Imported here, since it imports NumPy, which help texts do without.
    from robot_learning.teleop.device_check import check_device_apart

    check_device_apart(device.device, device.map)
    settings = {
        "robot": choice.robot,
        "device": device.device,
        "map": device.map,
        "panel": device.panel,
        "task": choice.task,
        "seed": seed,
        **(more or {}),
    }
    return node_spec("teleop_node", arguments, settings, owns_terminal=True)


TELEOP = LaunchGroup(
    "teleop", "a robot, the arbiter and a person's device", TeleopArguments, teleop_plan
)
