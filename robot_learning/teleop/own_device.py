"""A device of a user's own, named as `module:Class`: found, checked and made."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.user_objects import find_object
from robot_learning.core.vocabulary import OPERATOR_DEVICES
from robot_learning.teleop.device import TeleopDevice

_WHAT, _FORM = "device", "module:Class"


def is_own(name: str) -> bool:
    """Whether a device's name is that of a user's own class."""
    return ":" in name


def check_device(name: str, map_name: str | None = None, beside: Sequence[str] = ()) -> None:
    """Refuse a device that cannot be made, before anything starts.

    Args:
        name: one of `OPERATOR_DEVICES`, or `module:Class`.
        map_name: key or axis map that was asked for; None or empty for none.
        beside: what the caller takes in place of a device, named with what is valid.

    Raises:
        ConfigurationError: there is no such device, the class is no device, or it takes no map.
    """
    if not is_own(name):
        if name not in OPERATOR_DEVICES:
            text = unknown_choice(_WHAT, name, (*beside, *OPERATOR_DEVICES))
            raise ConfigurationError(f"{text}; or a {_FORM} of your own")
        return
    find_device(name)
    if map_name:
        raise ConfigurationError(f"map: maps are for the devices that ship, not for '{name}'")


def find_device(name: str) -> type[TeleopDevice]:
    """The class that `module:Class` names.

    Raises:
        ConfigurationError: it is not there, is no `TeleopDevice`, lacks a method, or its
            constructor asks for more than the robot's profile.
    """
    found = find_object(name, _WHAT, _FORM)
    if not (inspect.isclass(found) and issubclass(found, TeleopDevice)):
        raise ConfigurationError(
            f"{_WHAT} '{name}': no subclass of robot_learning.teleop.device.TeleopDevice"
        )
    if missing := sorted(found.__abstractmethods__):
        raise ConfigurationError(f"{_WHAT} '{name}': lacks {', '.join(missing)}")
    signature = _signature(found)
    if not (_takes(signature, 1) or _takes(signature, 0)):
        raise ConfigurationError(
            f"{_WHAT} '{name}': its constructor takes {signature}; expected "
            "(profile), the robot's profile, or nothing"
        )
    return found


def make_own_device(name: str, profile: RobotProfile) -> TeleopDevice:
    """Make the device that `module:Class` names; it is not opened.

    Args:
        name: name of the class.
        profile: robot that the device drives; given to the class if the first argument of its
            constructor is required or named `profile`.

    Raises:
        ConfigurationError: as of `find_device`, or its constructor failed.
    """
    # Called through Any, as constructors of subclasses differ.
    found: type = find_device(name)
    try:
        device: TeleopDevice = found(profile) if _takes_profile(found) else found()
    except ConfigurationError:
        raise
    except Exception as problem:
        raise ConfigurationError(f"{_WHAT} '{name}' cannot be made: {problem!r}") from problem
    return device


def _takes_profile(found: type) -> bool:
    """Whether a class is given the profile; an optional port or the like is not for it."""
    signature = _signature(found)
    is_first = next(iter(signature.parameters), "") == "profile"
    return _takes(signature, 1) and (is_first or not _takes(signature, 0))


def _signature(found: type) -> inspect.Signature:
    """What a class is made with; nothing where it does not tell."""
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return inspect.Signature()


def _takes(signature: inspect.Signature, count: int) -> bool:
    """Whether so many arguments can be given."""
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
