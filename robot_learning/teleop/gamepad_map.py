"""Which axis and button of a gamepad (or SpaceMouse) does what: read from YAML and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from robot_learning.core.errors import unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.strict_mapping import StrictMapping
from robot_learning.teleop.actions import BUTTON_ACTIONS, CARTESIAN_AXES, JOINT_AXES, signed
from robot_learning.teleop.engagement import EngagementKind
from robot_learning.teleop.map_files import (
    START_MODES,
    acting,
    describe_bindings,
    joint_texts,
    open_map,
    read_bindings,
)


@dataclass(frozen=True, slots=True)
class AxisMap:
    """Bindings of analogue axes and buttons, by the names of the device's inputs."""

    name: str
    engagement: EngagementKind
    joint_mode: bool
    dead_zone: float
    buttons: Mapping[str, str]
    cartesian_axes: Mapping[str, str]
    joint_axes: Mapping[str, str]

    def describe(self, profile: RobotProfile) -> str:
        """The map as a table for the operator of a robot."""
        joint_axes = acting(self.joint_axes, profile)
        return "\n".join(
            [
                f"Map '{self.name}' ({self.engagement.value})",
                describe_bindings("Buttons", acting(self.buttons, profile), BUTTON_ACTIONS),
                describe_bindings("Cartesian jog", self.cartesian_axes, {}),
                describe_bindings("Joint jog", joint_axes, joint_texts(profile)),
            ]
        )


@dataclass(frozen=True, slots=True)
class GamepadMap:
    """A gamepad: the order of its axes and buttons in a Joy message, and their bindings.

    `rest_values` says of each bound axis where it stands when nobody touches it.
    """

    axis_names: tuple[str, ...]
    button_names: tuple[str, ...]
    heartbeat_timeout_s: float
    rest_values: Mapping[str, float]
    bindings: AxisMap


def load_gamepad_map(map_name: str | os.PathLike[str] = "xbox") -> GamepadMap:
    """Read a gamepad map by name or path.

    Raises:
        ConfigurationError: an unknown axis, button or action, no dead-man button, or a trigger
            that is bound and whose rest is not stated.
    """
    root = open_map(map_name, "gamepad")
    axis_names, button_names = root.texts("axis_names"), root.texts("button_names")
    bindings = _read_bindings(root, str(map_name), axis_names, button_names, dead_man=True)
    gamepad_map = GamepadMap(
        axis_names=axis_names,
        button_names=button_names,
        heartbeat_timeout_s=root.number("heartbeat_timeout_s", 0.25, positive=True),
        rest_values=_read_rests(root, axis_names, bindings),
        bindings=bindings,
    )
    root.finish()
    if "dead_man" not in gamepad_map.bindings.buttons.values():
        raise root.fail("one button must be bound to the action dead_man", "buttons")
    return gamepad_map


def _read_rests(
    root: StrictMapping, axis_names: tuple[str, ...], bindings: AxisMap
) -> dict[str, float]:
    """Where each bound axis rests: 0 unless the map states something else."""

    def read(nested: StrictMapping, name: str) -> float:
        if name not in axis_names:
            raise nested.fail(unknown_choice("axis", name, axis_names))
        rest = nested.number(name)
        if not -1.0 <= rest <= 1.0:
            raise nested.fail(f"{rest:g} lies outside [-1, 1]", name)
        return rest

    stated = root.entries("rest_values", read)
    bound = [*dict.fromkeys([*bindings.cartesian_axes, *bindings.joint_axes])]
    for name in bound:
        if "trigger" in name and name not in stated:
            raise root.fail(
                f"axis '{name}' is bound, and a trigger rests at an end of its range: state where, "
                f"as {{{name}: 1.0}} for joy_node and the built-in driver",
                "rest_values",
            )
    return {name: stated.get(name, 0.0) for name in bound}


def load_axis_map(
    map_name: str | os.PathLike[str],
    device: str,
    axis_names: tuple[str, ...],
    button_names: tuple[str, ...],
) -> AxisMap:
    """Read the map of a device whose axes and buttons are fixed.

    Raises:
        ConfigurationError: an unknown axis, button or action.
    """
    root = open_map(map_name, device)
    bindings = _read_bindings(root, str(map_name), axis_names, button_names, dead_man=False)
    root.finish()
    return bindings


def _read_bindings(
    root: StrictMapping,
    name: str,
    axis_names: tuple[str, ...],
    button_names: tuple[str, ...],
    dead_man: bool,
) -> AxisMap:
    default = EngagementKind.DEAD_MAN if dead_man else EngagementKind.LATCHED
    kinds = [default.value] if dead_man else [kind.value for kind in EngagementKind]
    dead_zone = root.number("dead_zone", 0.1)
    if not 0.0 <= dead_zone < 1.0:
        raise root.fail(f"{dead_zone:g} lies outside [0, 1)", "dead_zone")
    bindings = AxisMap(
        name=name,
        engagement=EngagementKind(root.choice("engagement", kinds, default.value)),
        joint_mode=root.choice("start_mode", START_MODES, "cartesian") == "joint",
        dead_zone=dead_zone,
        buttons=read_bindings(root, "buttons", button_names, BUTTON_ACTIONS),
        cartesian_axes=read_bindings(root, "cartesian_axes", axis_names, signed(CARTESIAN_AXES)),
        joint_axes=read_bindings(root, "joint_axes", axis_names, signed(JOINT_AXES)),
    )
    is_dead_man = bindings.engagement is EngagementKind.DEAD_MAN
    if is_dead_man and "dead_man" not in bindings.buttons.values():
        raise root.fail("one button must be bound to the action dead_man", "buttons")
    return bindings
