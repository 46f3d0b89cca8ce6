"""How a person labels recorded rows, and which combinations cannot work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.core.errors import ConfigurationError, unknown_choice

if TYPE_CHECKING:
    from robot_learning.episodes.dataset.row_choice import RowChoice

SCRIPTED = "scripted"
GAMEPAD, LEADER = "gamepad", "leader_arm"
DEVICES = ("keyboard", GAMEPAD, "spacemouse", SCRIPTED)
# They have no buttons for keeping, undoing and discarding.
WITHOUT_KEYS = (GAMEPAD, "spacemouse")
_NEEDS_ROS = {
    LEADER: "a leader arm is heard over ROS: let it take over in `robot-learning dagger`, or "
    "relabel with another device",
}


@dataclass(frozen=True)
class DeviceChoice:
    """How a person labels.

    Attributes:
        device: name of the device, one of `DEVICES`.
        method: how rows are labelled, `step` or `segment`.
        choice: rows to label.
        author: name of the person or expert who labels.
        map_name: name of the key map; empty for the device's default map.
        speed: speed of playback while the device acts, as a share of the recording's, in (0, 1].
        window: whether the ghost is shown in MuJoCo's window.
        picture: JPEG file that is redrawn while rows go by; None for none.
        marks: whether the rows are a segment that is marked while the recording plays, instead
            of `choice`.
        restart: whether an interrupted labelling session is discarded instead of continued.
    """

    device: str
    method: str
    choice: RowChoice
    author: str
    map_name: str = ""
    speed: float = 0.2
    window: bool = False
    picture: Path | None = None
    marks: bool = False
    restart: bool = False


def check_choice(chosen: DeviceChoice) -> None:
    """Refuse what cannot work, before anything is opened.

    Raises:
        ConfigurationError: an unknown device, one that needs ROS or cannot mark a segment, a speed
            out of range, or a picture that cannot be drawn.
    """
    if chosen.device in _NEEDS_ROS:
        raise ConfigurationError(f"--device {chosen.device}: {_NEEDS_ROS[chosen.device]}")
    if chosen.device not in DEVICES:
        raise ConfigurationError(unknown_choice("device", chosen.device, DEVICES))
    if chosen.marks and "start" not in keys_of(chosen):
        raise ConfigurationError(
            f"--device {chosen.device} cannot mark a segment: give it as --rows"
        )
    if not 0.0 < chosen.speed <= 1.0:
        raise ConfigurationError(f"--speed: expected above 0, at most 1, found {chosen.speed:g}")
    if chosen.picture is not None and chosen.picture.suffix not in (".jpg", ".jpeg"):
        raise ConfigurationError(f"--picture {chosen.picture}: its name ends with .jpg")
    if chosen.picture is not None and not chosen.picture.parent.is_dir():
        raise ConfigurationError(f"--picture {chosen.picture}: there is no such folder")


def keys_of(chosen: DeviceChoice) -> dict[str, list[str]]:
    """The device's keys and buttons: action -> what is pressed for it."""
    from robot_learning.relabeling.keys import pressed_for

    return pressed_for(driver_of(chosen), chosen.map_name, keyboard=has_panel(chosen))


def driver_of(chosen: DeviceChoice) -> str:
    """The name of the device that is opened."""
    return "gamepad_direct" if chosen.device == GAMEPAD else chosen.device


def has_panel(chosen: DeviceChoice) -> bool:
    """Whether the keyboard's keys are used in addition to the device."""
    found = any(os.environ.get(name) for name in ("DISPLAY", "PYNPUT_BACKEND_KEYBOARD"))
    return found and chosen.device in WITHOUT_KEYS
