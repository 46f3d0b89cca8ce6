"""The arbiter as a part of other groups: every source drives a robot through this node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robot_learning.bringup.arguments import NodeArguments, RobotChoice, SceneArguments, node_spec
from robot_learning.bringup.plan import NodeSpec
from robot_learning.bringup.sim import robot_node
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.core.profile import RobotProfile, Ros2ControlInterface


def arbiter_node(
    arguments: NodeArguments,
    robot: str,
    more: Mapping[str, Any] | None = None,
    remappings: Mapping[str, str] | None = None,
) -> NodeSpec:
    """The arbiter of a robot.

    Args:
        arguments: what every node of the group is given.
        robot: the robot's profile: a name, a folder or a robot.yaml.
        more: further settings of the node, by name; None for none.
        remappings: topic or service -> its new name; None for none.
    """
    settings = {"robot": robot, **(more or {})}
    return node_spec("arbiter_node", arguments, settings, remappings=remappings)


def robot_and_arbiter(
    arguments: SceneArguments,
    choice: RobotChoice,
    arbiter: Mapping[str, Any] | None = None,
    robot: Mapping[str, Any] | None = None,
    *,
    by_hand: bool = False,
) -> list[NodeSpec]:
    """What a source drives: a simulated robot and its arbiter, or the arbiter of a real one.

    A simulated robot is enabled at start, a real one by a person.

    Args:
        arguments: what every node of the group is given, and how a simulated scene begins.
        choice: the robot, its scene and its cameras.
        arbiter: further settings of the arbiter, by name; None for none.
        robot: further settings of a simulated robot, by name; None for none.
        by_hand: whether a person drives with a device.

    Raises:
        ConfigurationError: an argument is wrong, or the profile has no real interface.
    """
    if choice.simulated:
        # Real-time priority takes the core from other nodes; only driving by hand needs it.
        urgent = {"real_time": by_hand}
        more = {"autostart": True, **urgent, **(arbiter or {})}
        simulated = robot_node(arguments, choice, {**urgent, **(robot or {})}, by_hand=by_hand)
        return [simulated, arbiter_node(arguments, choice.robot, more)]
    # Imported here, as NumPy and PyYAML would double the time in which `--help` answers.
    from robot_learning.core.profile_loader import load_profile

    profile = load_profile(choice.robot)
    real = _real_interface(profile)
    settings = {
        "autostart": False,
        "output": "profile",
        # Controllers that interpolate between points need the time until the next one.
        "time_from_start_s": 1.0 / profile.control_rate_hz,
        **(arbiter or {}),
    }
    remappings = {"joint_command": real.command_topic}
    return [arbiter_node(arguments, choice.robot, settings, remappings)]


def _real_interface(profile: RobotProfile) -> Ros2ControlInterface:
    from robot_learning.core.profile import Ros2ControlInterface

    if not isinstance(profile.real, Ros2ControlInterface):
        raise ConfigurationError(
            f"sim:=false: robot '{profile.name}' has no ros2_control interface"
            f"{', and no node drives servos on a bus yet' if profile.real else ''}; name its "
            "controller under interfaces.real in its robot.yaml (see hardware/README.md)"
        )
    return profile.real
