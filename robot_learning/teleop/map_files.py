"""Finding and reading device maps (`maps/*.yaml`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.strict_mapping import StrictMapping
from robot_learning.teleop.actions import JOINT_AXES, signed
from robot_learning.teleop.device import OperatorEvent

SCHEMA_VERSION = 1
START_MODES = ("cartesian", "joint")
_SHIPPED = Path(__file__).parent / "maps"


def shipped_maps() -> dict[str, Path]:
    """The maps that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}


def open_map(map_name: str | os.PathLike[str], device: str) -> StrictMapping:
    """Read the head of a map, given by the name of a shipped one or by a path.

    Raises:
        ConfigurationError: no such map, not YAML, or a map of another device.
    """
    maps = shipped_maps()
    path = maps.get(str(map_name), Path(map_name))
    if not path.is_file():
        text = unknown_choice("device map", map_name, maps)
        raise ConfigurationError(f"{text}. A path to a YAML file works too")
    root = StrictMapping.read(path)
    version = root.integer("schema_version")
    if version != SCHEMA_VERSION:
        raise root.fail(f"this version reads {SCHEMA_VERSION}, found {version}", "schema_version")
    root.choice("device", [device])
    return root


def read_bindings(
    root: StrictMapping, section: str, inputs: Iterable[str] | None, actions: Iterable[str]
) -> dict[str, str]:
    """A section that binds inputs (keys, buttons, axes) to actions; empty when absent.

    Args:
        root: the map.
        section: its key there.
        inputs: the names that may be bound, None when the caller checks them.
        actions: what they may be bound to.

    Raises:
        ConfigurationError: an unknown input or action; the text lists the valid ones.
    """
    nested = root.optional_mapping(section)
    if nested is None:
        return {}
    valid_inputs, valid_actions = None if inputs is None else list(inputs), list(actions)
    bindings: dict[str, str] = {}
    for name in nested:
        if valid_inputs is not None and name not in valid_inputs:
            raise nested.fail(unknown_choice("input", name, valid_inputs))
        action = nested.text(name)
        if action not in valid_actions:
            raise nested.fail(unknown_choice("action", action, valid_actions), name)
        bindings[name] = action
    return bindings


def acting(
    bindings: Mapping[str, str], profile: RobotProfile, *, has_leader: bool = False
) -> dict[str, str]:
    """The bindings that can act on a robot, which is all that its operator is told of.

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
    """A section of a printed map: one line an input."""
    width = max((len(name) for name in bindings), default=0)
    lines = [f"  {name:<{width}}  {texts.get(what, what)}" for name, what in bindings.items()]
    return "\n".join([title, *lines])
