"""Which key does what: read from YAML, checked, and printed for the operator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest

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

NAMED_KEYS = (
    *("space", "enter", "esc", "tab", "backspace", "insert", "delete", "menu", "pause"),
    *("shift", "ctrl", "alt", "up", "down", "left", "right"),
    *("home", "end", "page_up", "page_down"),
    *(f"f{number}" for number in range(1, 13)),
)
"""Keys that have a name; every other key is written as the character it types."""


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
    root = open_map(map_name, "keyboard")
    kinds = [kind.value for kind in EngagementKind]
    keyboard_map = KeyboardMap(
        name=str(map_name),
        engagement=EngagementKind(root.choice("engagement", kinds, "latched")),
        joint_mode=root.choice("start_mode", START_MODES, "cartesian") == "joint",
        keys=read_bindings(root, "keys", None, BUTTON_ACTIONS),
        cartesian_keys=read_bindings(root, "cartesian_keys", None, signed(CARTESIAN_AXES)),
        joint_keys=read_bindings(root, "joint_keys", None, signed(JOINT_AXES)),
    )
    root.finish()
    _check_keys(root, keyboard_map)
    return keyboard_map


def _check_keys(root: StrictMapping, keyboard_map: KeyboardMap) -> None:
    for section in ("keys", "cartesian_keys", "joint_keys"):
        for key in getattr(keyboard_map, section):
            _check_key(root, section, key)
            if section != "keys" and key in keyboard_map.keys:
                raise root.fail(f"'{key}' is bound in 'keys' too, so it would do two things", key)
    dead_man = keyboard_map.engagement is EngagementKind.DEAD_MAN
    if dead_man and "dead_man" not in keyboard_map.keys.values():
        raise root.fail("'dead_man' needs a key bound to the action dead_man", "engagement")


def _check_key(root: StrictMapping, section: str, key: str) -> None:
    if key in NAMED_KEYS:
        return
    if len(key) != 1:
        text = f"{unknown_choice('key', key, NAMED_KEYS)}, or a single character"
        raise root.fail(text, section)
    if key.isspace() or not key.isprintable():
        raise root.fail(f"write {key!r} by name, such as 'space'", section)
    if key != key.lower():
        raise root.fail(f"write '{key}' as '{key.lower()}': keys have no case", section)
