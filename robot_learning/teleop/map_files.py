"""Finding and reading device maps (`maps/*.yaml`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.yaml_file import decode_yaml
from robot_learning.teleop.actions import JOINT_AXES, signed
from robot_learning.teleop.device import OperatorEvent
from robot_learning.teleop.engagement import EngagementKind

SCHEMA_VERSION = 1
_SHIPPED = Path(__file__).parent / "maps"
Bindings = dict[str, str]
"""Input (key, button or axis) -> action."""


@dataclass(frozen=True, kw_only=True)
class MapFile:
    """What the file of every map says.

    Attributes:
        schema_version: version of the format.
        device: device that the map is of.
        engagement: how the operator engages; None for the usual way of the device.
        start_mode: whether the axes move the end effector or the joints at first.
    """

    schema_version: int
    device: str
    engagement: EngagementKind | None = None
    start_mode: Literal["cartesian", "joint"] = "cartesian"


MapT = TypeVar("MapT", bound=MapFile)


def shipped_maps() -> dict[str, Path]:
    """The maps that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}


def open_map(map_name: str | os.PathLike[str], device: str, kind: type[MapT]) -> tuple[MapT, Path]:
    """Read a map, given by the name of a shipped one or by a path; and where it is.

    Args:
        map_name: name or path.
        device: device that the map has to be of.
        kind: what the file of such a map holds.

    Raises:
        ConfigurationError: no such map, not YAML, wrong, or a map of another device.
    """
    maps = shipped_maps()
    path = maps.get(str(map_name), Path(map_name))
    if not path.is_file():
        text = unknown_choice("device map", map_name, maps)
        raise ConfigurationError(f"{text}. A path to a YAML file works too")
    found = decode_yaml(path, kind)
    if found.schema_version != SCHEMA_VERSION:
        text = f"this version reads {SCHEMA_VERSION}, found {found.schema_version}"
        raise map_error(path, "schema_version", text)
    if found.device != device:
        raise map_error(path, "device", unknown_choice("value", found.device, [device]))
    return found, path


def map_error(path: Path, key: str, text: str) -> ConfigurationError:
    """An error about a key of a map, to be raised.

    Args:
        path: path of the map.
        key: key that the error is about.
        text: what is wrong, and what is valid.
    """
    return ConfigurationError(f"{path}: {key}: {text}")


def check_bindings(
    path: Path, section: str, bindings: Bindings, actions: Iterable[str], inputs: Iterable[str] = ()
) -> None:
    """Refuse a binding of an unknown input or to an unknown action.

    Args:
        path: path of the map.
        section: key of the bindings in the map.
        bindings: action of each input, as the map has it.
        actions: actions that inputs may be bound to.
        inputs: inputs that may be bound; empty where the caller checks them.

    Raises:
        ConfigurationError: an unknown input or action; the text lists the valid ones.
    """
    valid_inputs, valid_actions = list(inputs), list(actions)
    for name, action in bindings.items():
        if valid_inputs and name not in valid_inputs:
            raise map_error(path, section, unknown_choice("input", name, valid_inputs))
        if action not in valid_actions:
            text = unknown_choice("action", action, valid_actions)
            raise map_error(path, f"{section}.{name}", text)


def acting(
    bindings: Mapping[str, str], profile: RobotProfile, *, has_leader: bool = False
) -> dict[str, str]:
    """The bindings that can act on a robot, which is all that its operator is shown.

    Args:
        bindings: input -> action.
        profile: the robot.
        has_leader: whether there is a leader arm to align with.
    """
    joints = max(len(arm.joints) for arm in profile.arms)
    idle = set(signed(JOINT_AXES[joints:]))
    if not has_leader:
        idle.add(OperatorEvent.ALIGN.value)
    if len(profile.arms) == 1:
        idle.add("next_arm")
    if not any(arm.gripper for arm in profile.arms):
        idle |= {"grip_close", "grip_open"}
    return {name: action for name, action in bindings.items() if action not in idle}


def joint_texts(profile: RobotProfile) -> dict[str, str]:
    """`joint_1+` -> the joint's own name and sign; none where the joint depends on the arm."""
    if len(profile.arms) > 1:
        return {}
    joints = profile.arms[0].joints
    return dict(zip(signed(JOINT_AXES), signed(joints), strict=False))


def describe_bindings(title: str, bindings: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """A section of a printed map: one line an input.

    Args:
        title: first line of the section.
        bindings: action of each input.
        texts: text for an action; an action without one is printed by its name.
    """
    width = max((len(name) for name in bindings), default=0)
    lines = [f"  {name:<{width}}  {texts.get(what, what)}" for name, what in bindings.items()]
    return "\n".join([title, *lines])
