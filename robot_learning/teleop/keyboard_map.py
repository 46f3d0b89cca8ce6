"""Which key does what: read from YAML, checked, and printed for the operator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from robot_learning.core.errors import unknown_choice
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

NAMED_KEYS = (
    *("space", "enter", "esc", "tab", "backspace", "insert", "delete", "menu", "pause"),
    *("shift", "ctrl", "alt", "up", "down", "left", "right"),
    *("home", "end", "page_up", "page_down"),
    *(f"f{number}" for number in range(1, 13)),
)
"""Keys that have a name; every other key is written as the character it types."""


@dataclass(frozen=True, kw_only=True)
class _KeyboardFile(MapFile):
    """What the file of a keyboard map holds."""

    keys: Bindings = field(default_factory=dict)
    cartesian_keys: Bindings = field(default_factory=dict)
    joint_keys: Bindings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyboardMap:
    """Bindings of keys: `keys` in every mode, the others in their mode only."""

    name: str
    engagement: EngagementKind
    joint_mode: bool
    keys: Mapping[str, str]
    cartesian_keys: Mapping[str, str]
    joint_keys: Mapping[str, str]

    def describe(self, profile: RobotProfile, *, has_leader: bool = False) -> str:
        """The map as a table for the operator of a robot; arguments as of `acting`."""
        keys = acting(self.keys, profile, has_leader=has_leader)
        joint_keys = acting(self.joint_keys, profile)
        common = describe_bindings("In every mode", keys, BUTTON_ACTIONS).split("\n")
        jog = [
            *describe_bindings("Cartesian jog (hold)", self.cartesian_keys, {}).split("\n"),
            "",
            *describe_bindings("Joint jog (hold)", joint_keys, joint_texts(profile)).split("\n"),
        ]
        width = max(len(line) for line in common) + 4
        rows = zip_longest(common, jog, fillvalue="")
        table = "\n".join(f"{left:<{width}}{right}".rstrip() for left, right in rows)
        return f"Keyboard map '{self.name}' ({self.engagement.value})\n{table}"


def load_keyboard_map(map_name: str | os.PathLike[str] = "keyboard") -> KeyboardMap:
    """Read a keyboard map by name or path.

    Raises:
        ConfigurationError: an unknown key or action, or a key that means two things at once.
    """
    found, path = open_map(map_name, "keyboard", _KeyboardFile)
    check_bindings(path, "keys", found.keys, BUTTON_ACTIONS)
    check_bindings(path, "cartesian_keys", found.cartesian_keys, signed(CARTESIAN_AXES))
    check_bindings(path, "joint_keys", found.joint_keys, signed(JOINT_AXES))
    keyboard_map = KeyboardMap(
        name=str(map_name),
        engagement=found.engagement or EngagementKind.LATCHED,
        joint_mode=found.start_mode == "joint",
        keys=found.keys,
        cartesian_keys=found.cartesian_keys,
        joint_keys=found.joint_keys,
    )
    _check_keys(path, keyboard_map)
    return keyboard_map


def _check_keys(path: Path, keyboard_map: KeyboardMap) -> None:
    for section in ("keys", "cartesian_keys", "joint_keys"):
        for key in getattr(keyboard_map, section):
            if problem := _problem(key):
                raise map_error(path, section, problem)
            if section != "keys" and key in keyboard_map.keys:
                text = f"'{key}' is bound in 'keys' too, so it would do two things"
                raise map_error(path, section, text)
    dead_man = keyboard_map.engagement is EngagementKind.DEAD_MAN
    if dead_man and "dead_man" not in keyboard_map.keys.values():
        text = "'dead_man' needs a key bound to the action dead_man"
        raise map_error(path, "engagement", text)


def _problem(key: str) -> str:
    """What is wrong with the name of a key; empty where nothing is."""
    if key in NAMED_KEYS:
        return ""
    if len(key) != 1:
        return f"{unknown_choice('key', key, NAMED_KEYS)}, or a single character"
    if key.isspace() or not key.isprintable():
        return f"write {key!r} by name, such as 'space'"
    return "" if key == key.lower() else f"write '{key}' as '{key.lower()}': keys have no case"
