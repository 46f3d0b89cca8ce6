"""Which axis and button of a gamepad (or SpaceMouse) does what: read from YAML and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from robot_learning.core.decoding import UNIQUE
from robot_learning.core.errors import unknown_choice
from robot_learning.core.options.numbers import Positive, ShareBelow1
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.actions import BUTTON_ACTIONS, CARTESIAN_AXES, JOINT_AXES, signed
from robot_learning.teleop.engagement import EngagementKind
from robot_learning.teleop.map_files import (
    Bindings,
    MapFile,
    acting,
    check_bindings,
    describe_bindings,
    joint_texts,
    map_error,
    open_map,
)


@dataclass(frozen=True, kw_only=True)
class _AxisFile(MapFile):
    """What the file of a map of axes and buttons holds."""

    dead_zone: ShareBelow1 = 0.1
    buttons: Bindings = field(default_factory=dict)
    cartesian_axes: Bindings = field(default_factory=dict)
    joint_axes: Bindings = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _GamepadFile(_AxisFile):
    """What the file of a gamepad map holds."""

    axis_names: Annotated[tuple[str, ...], UNIQUE]
    button_names: Annotated[tuple[str, ...], UNIQUE]
    heartbeat_timeout_s: Positive = 0.25
    rest_values: dict[str, Annotated[float, Meta(ge=-1, le=1)]] = field(default_factory=dict)


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
    found, path = open_map(map_name, "gamepad", _GamepadFile)
    kinds = (EngagementKind.DEAD_MAN,)
    bindings = _axis_map(
        found, path, found.axis_names, found.button_names, name=str(map_name), kinds=kinds
    )
    return GamepadMap(
        axis_names=found.axis_names,
        button_names=found.button_names,
        heartbeat_timeout_s=found.heartbeat_timeout_s,
        rest_values=_rests(found, path, bindings),
        bindings=bindings,
    )


def _rests(found: _GamepadFile, path: Path, bindings: AxisMap) -> dict[str, float]:
    """Where each bound axis rests: 0 unless the map states something else."""
    stated = found.rest_values
    for name in stated:
        if name not in found.axis_names:
            text = unknown_choice("axis", name, found.axis_names)
            raise map_error(path, "rest_values", text)
    bound = [*dict.fromkeys([*bindings.cartesian_axes, *bindings.joint_axes])]
    for name in bound:
        if "trigger" in name and name not in stated:
            text = (
                f"axis '{name}' is bound, and a trigger rests at an end of its range: state where, "
                f"as {{{name}: 1.0}} for joy_node and the built-in driver"
            )
            raise map_error(path, "rest_values", text)
    return {name: stated.get(name, 0.0) for name in bound}


def load_axis_map(
    map_name: str | os.PathLike[str],
    device: str,
    axis_names: tuple[str, ...],
    button_names: tuple[str, ...],
) -> AxisMap:
    """Read the map of a device whose axes and buttons are fixed.

    Args:
        map_name: name of a map of this package, or path of a map file.
        device: kind of the device that the map must be for.
        axis_names: names of the device's axes.
        button_names: names of the device's buttons.

    Raises:
        ConfigurationError: an unknown axis, button or action.
    """
    found, path = open_map(map_name, device, _AxisFile)
    kinds = (EngagementKind.LATCHED, EngagementKind.DEAD_MAN)
    return _axis_map(found, path, axis_names, button_names, name=str(map_name), kinds=kinds)


def _axis_map(
    found: _AxisFile,
    path: Path,
    axis_names: tuple[str, ...],
    button_names: tuple[str, ...],
    *,
    name: str,
    kinds: tuple[EngagementKind, ...],
) -> AxisMap:
    """The checked bindings; `kinds` of engagement are valid, the first one by default."""
    check_bindings(path, "buttons", found.buttons, BUTTON_ACTIONS, button_names)
    axes = signed(CARTESIAN_AXES), signed(JOINT_AXES)
    check_bindings(path, "cartesian_axes", found.cartesian_axes, axes[0], axis_names)
    check_bindings(path, "joint_axes", found.joint_axes, axes[1], axis_names)
    engagement = found.engagement or kinds[0]
    if engagement not in kinds:
        text = unknown_choice("value", engagement.value, [kind.value for kind in kinds])
        raise map_error(path, "engagement", text)
    is_dead_man = engagement is EngagementKind.DEAD_MAN
    if is_dead_man and "dead_man" not in found.buttons.values():
        text = "one button must be bound to the action dead_man"
        raise map_error(path, "buttons", text)
    return AxisMap(
        name=name,
        engagement=engagement,
        joint_mode=found.start_mode == "joint",
        dead_zone=found.dead_zone,
        buttons=found.buttons,
        cartesian_axes=found.cartesian_axes,
        joint_axes=found.joint_axes,
    )
