"""The arbiter as a part of other groups: whoever drives a robot drives it through this node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from robot_learning.bringup.plan import (
    NodeSpec,
    ParameterValue,
    parse_flag,
    shipped_parameters,
    user_parameters,
)
from robot_learning.bringup.sim import robot_node
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.core.profile import RobotProfile, Ros2ControlInterface


def arbiter_node(
    arguments: Mapping[str, str],
    more: Mapping[str, ParameterValue] | None = None,
    remappings: Mapping[str, str] | None = None,
) -> NodeSpec:
    """The arbiter; `more` parameters come after the shipped ones, the user's file last."""
    parameters: dict[str, ParameterValue] = {"robot": arguments["robot"], **(more or {})}
    user = user_parameters(arguments["params_file"])
    return NodeSpec(
        executable="arbiter_node",
        name="arbiter_node",
        namespace=arguments["namespace"],
        parameters=(shipped_parameters("arbiter_node"), parameters, *user),
        remappings=remappings or {},
        log_level=arguments["log_level"],
    )


def robot_and_arbiter(
    arguments: Mapping[str, str],
    arbiter: Mapping[str, ParameterValue] | None = None,
    robot: Mapping[str, ParameterValue] | None = None,
    *,
    by_hand: bool = False,
) -> list[NodeSpec]:
    """What a source drives: a simulated robot and its arbiter, or the arbiter of a real one.

    `arbiter` and `robot` are more parameters for them; `by_hand` tells whether a person drives
    with a device. A simulated robot is enabled at start, a real one by a person.

    Raises:
        ConfigurationError: an argument is wrong, or the profile has no real interface.
    """
    if parse_flag("sim", arguments["sim"]):
        # Only a hand on a device needs it, and whatever has it takes the core from the others.
        urgent: dict[str, ParameterValue] = {"real_time": by_hand}
        more = {"autostart": True, **urgent, **(arbiter or {})}
        simulated = robot_node(arguments, {**urgent, **(robot or {})}, by_hand=by_hand)
        return [simulated, arbiter_node(arguments, more)]
    # Imported here, as NumPy and PyYAML would double the time in which `--help` answers.
    from robot_learning.core.profile_loader import load_profile

    profile = load_profile(arguments["robot"])
    real = _real_interface(profile)
    settings: dict[str, ParameterValue] = {
        "autostart": False,
        "output": "profile",
        # Controllers that interpolate between points need the time until the next one.
        "time_from_start_s": 1.0 / profile.control_rate_hz,
        **(arbiter or {}),
    }
    return [arbiter_node(arguments, settings, {"joint_command": real.command_topic})]


def _real_interface(profile: RobotProfile) -> Ros2ControlInterface:
    from robot_learning.core.profile import Ros2ControlInterface

    if not isinstance(profile.real, Ros2ControlInterface):
        raise ConfigurationError(
            f"sim:=false: robot '{profile.name}' has no ros2_control interface; add "
            "interfaces.real to its robot.yaml (see hardware/README.md)"
        )
    return profile.real
