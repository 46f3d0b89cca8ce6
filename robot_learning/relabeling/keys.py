"""What keys and buttons mean while relabelling, by their printed names."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from robot_learning.teleop.devices import DEFAULT_MAPS
from robot_learning.teleop.gamepad_map import load_gamepad_map
from robot_learning.teleop.keyboard_map import load_keyboard_map

_WIDTH = 100
_Meanings = Sequence[tuple[tuple[str, ...], str]]
_ENDING: _Meanings = (
    (("success", "stop", "Ctrl-C"), "keep the labels"),
    (("discard", "halt"), "throw them away"),
)
_MARKING: _Meanings = (
    (("start",), "marks the first row of the segment, and then its end"),
    (("hold",), "stands still, and goes on"),
    (("failure",), "takes the mark back"),
    (("discard", "halt"), "gives up"),
)
_STEP: _Meanings = (
    (("hand_back",), "skips the row"),
    (("failure",), "takes the last label back"),
    *_ENDING,
)
_SEGMENT: _Meanings = (
    (("hold",), "stands still until your next motion"),
    (("failure",), "begins the segment again"),
    (("hand_back",), "ends it here"),
    *_ENDING,
)
_KEPT = "Every label is on the disk at once: after a crash the same command continues."
_IN_FRONT = (
    "Keys count while this terminal is in front: click on it again once another window has opened."
)


def pressed_for(device: str, map_name: str, *, keyboard: bool) -> dict[str, list[str]]:
    """The keys and buttons for each action.

    Args:
        device: name of the device: `keyboard`, `gamepad_direct`, or one without buttons.
        map_name: name of the device's key map; empty for its default map.
        keyboard: whether the keyboard's keys are used in addition to the device.

    Raises:
        ConfigurationError: the map cannot be read.
    """
    chosen = map_name or DEFAULT_MAPS.get(device, "")
    found: dict[str, list[str]] = {}
    bound: list[tuple[str, str]] = []
    if device == "keyboard":
        bound += load_keyboard_map(chosen).keys.items()
    elif keyboard:
        bound += load_keyboard_map().keys.items()
    if device == "gamepad_direct":
        buttons = load_gamepad_map(chosen).bindings.buttons
        bound += [(f"button {name}", action) for name, action in buttons.items()]
    for key, action in bound:
        found.setdefault(action, []).append(key)
    return found


def marking_text(pressed: Mapping[str, Sequence[str]]) -> str:
    """What to press while the recording plays and a segment is marked, for the person."""
    return _text("The recording plays.", _MARKING, pressed, "Then demonstrate the segment.")


def labelling_text(method: str, pressed: Mapping[str, Sequence[str]]) -> str:
    """What to press while rows are labelled by `method`, `step` or `segment`, for the person."""
    if method == "step":
        begin = "A motion labels the row that is shown and moves on to the next."
        return _text(begin, _STEP, pressed, _KEPT)
    begin = "Time begins with your first motion; each row is labelled with what you command then."
    return _text(begin, _SEGMENT, pressed, _KEPT)


def _text(begin: str, meanings: _Meanings, pressed: Mapping[str, Sequence[str]], end: str) -> str:
    known = {"Ctrl-C": ["Ctrl-C"], **pressed}
    told = []
    for actions, meaning in meanings:
        keys = [key for action in actions for key in known.get(action, ())]
        if keys:
            told.append(f"{' or '.join(keys)}: {meaning}")
    lines = [begin, *textwrap.wrap("; ".join(told) + ".", _WIDTH), end]
    return "\n".join([*lines, _IN_FRONT] if pressed else lines)
