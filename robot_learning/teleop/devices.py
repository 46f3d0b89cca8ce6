"""Makes a device by its name."""

from __future__ import annotations

from typing import get_args

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.vocabulary import OperatorPanel
from robot_learning.teleop.device import TeleopDevice
from robot_learning.teleop.own_device import is_own, make_own_device

DEVICES = {
    "keyboard": "keys, through pynput",
    "gamepad": "a gamepad, by joy messages",
    "gamepad_direct": "a gamepad, read from this machine's input devices",
    "spacemouse": "a 3Dconnexion SpaceMouse",
    "leader_arm": "one leader arm for each arm of the profile's 'leaders'",
}
"""Every device that can be named, with a text for people."""

DEFAULT_MAPS = {
    "keyboard": "keyboard",
    "gamepad": "xbox",
    "gamepad_direct": "xbox",
    "spacemouse": "spacemouse",
}
PANELS = get_args(OperatorPanel)
"""Devices that may carry the operator's keys beside another device."""


def make_device(
    name: str, profile: RobotProfile, map_name: str = "", panel: str = "none"
) -> TeleopDevice:
    """Make a device; it is not opened.

    Args:
        name: name of the device, one of `DEVICES`, or `module:Class` of a user's own.
        profile: robot that the device drives.
        map_name: name of a shipped map, or path of a map file; empty takes the device's default.
        panel: "keyboard" adds the keyboard's operator keys to another device.

    Raises:
        ConfigurationError: an unknown device or a wrong map; the text lists the valid choices.
    """
    if panel not in PANELS:
        raise ConfigurationError(unknown_choice("operator panel", panel, PANELS))
    device = _make(name, profile, map_name)
    if panel == "none" or name == "keyboard":
        return device
    from robot_learning.teleop.device_pair import DevicePair

    has_leader = name == "leader_arm"
    keys = _keyboard(profile, DEFAULT_MAPS["keyboard"], has_leader=has_leader)
    return DevicePair(device, keys)


def _keyboard(profile: RobotProfile, map_name: str, *, has_leader: bool = False) -> TeleopDevice:
    from robot_learning.teleop.keyboard import Keyboard
    from robot_learning.teleop.keyboard_map import load_keyboard_map

    return Keyboard(profile, load_keyboard_map(map_name), has_leader=has_leader)


def _make(name: str, profile: RobotProfile, map_name: str) -> TeleopDevice:
    if is_own(name):
        return make_own_device(name, profile)
    if name not in DEVICES:
        raise ConfigurationError(unknown_choice("teleoperation device", name, DEVICES))
    chosen = map_name or DEFAULT_MAPS.get(name, "")
    if name == "keyboard":
        return _keyboard(profile, chosen)
    if name == "spacemouse":
        from robot_learning.teleop.spacemouse import SpaceMouse, load_spacemouse_map

        return SpaceMouse(profile, load_spacemouse_map(chosen))
    if name == "leader_arm":
        from robot_learning.teleop.leader_arm import LeaderArm

        return LeaderArm(profile)
    from robot_learning.teleop.evdev_gamepad import EvdevGamepad
    from robot_learning.teleop.gamepad import Gamepad
    from robot_learning.teleop.gamepad_map import load_gamepad_map

    driver = EvdevGamepad if name == "gamepad_direct" else None
    return Gamepad(profile, load_gamepad_map(chosen), driver)
