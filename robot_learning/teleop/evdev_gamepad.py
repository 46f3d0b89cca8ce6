"""The built-in gamepad driver, for machines without ROS's joy package (Linux).

It reads the kernel's input device through evdev rather than through pygame: no display and no
SDL event loop are needed, the kernel names every axis and button and its range, and an
unplugged pad is an error at once, where SDL keeps repeating the last state.

Axes and buttons come in the order of joy_node and joy_linux (by kernel code, hats last), with
their sign: up and left are positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robot_learning.core.amounts import amount
from robot_learning.core.errors import DependencyError, RobotConnectionError
from robot_learning.teleop.gamepad import JoySample

_EV_KEY, _EV_ABS, _EV_SYN, _SYN_DROPPED = 0x01, 0x03, 0x00, 3
_BTN_JOYSTICK, _BTN_LAST = 0x120, 0x13F
_ABS_HAT_FIRST, _ABS_HAT_LAST, _ABS_MISC = 0x10, 0x17, 0x28


@dataclass(frozen=True, slots=True)
class AxisRange:
    """The range that the kernel reports for an axis."""

    minimum: int
    maximum: int

    def normalise(self, raw: int) -> float:
        """A raw value as a Joy axis in [-1, 1]; the kernel counts down and right as positive."""
        span = self.maximum - self.minimum
        return 1.0 - 2.0 * (raw - self.minimum) / span if span > 0 else 0.0


class EvdevGamepad:
    """One pad.

    Args:
        path: path of the input device (`/dev/input/event5`); empty takes the first gamepad.
        open_device: opens an input device by path; evdev's own unless given.
    """

    def __init__(self, path: str = "", open_device: Callable[[str], Any] | None = None) -> None:
        self._path = path
        self._open_device = open_device
        self._device: Any = None
        self._ranges: dict[int, AxisRange] = {}
        self._axes: dict[int, float] = {}
        self._buttons: dict[int, int] = {}
        self._pressed: set[int] = set()

    def open(self) -> None:
        """Open the pad.

        Raises:
            DependencyError: evdev is missing, there is no pad, or it may not be read.
        """
        self._device = self._open(self._path) if self._path else self._find()
        capabilities = self._device.capabilities(absinfo=True)
        infos = dict(capabilities.get(_EV_ABS, []))
        codes = [code for code in sorted(infos) if code < _ABS_MISC]
        sticks = [code for code in codes if not _ABS_HAT_FIRST <= code <= _ABS_HAT_LAST]
        hats = [code for code in codes if _ABS_HAT_FIRST <= code <= _ABS_HAT_LAST]
        self._ranges = {
            code: AxisRange(infos[code].min, infos[code].max) for code in [*sticks, *hats]
        }
        self._axes = {
            code: self._ranges[code].normalise(infos[code].value) for code in self._ranges
        }
        keys = sorted(code for code in capabilities.get(_EV_KEY, []) if code >= _BTN_JOYSTICK)
        self._buttons = dict.fromkeys(keys, 0)
        self._resynchronise()

    def close(self) -> None:
        """Close the pad."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def read(self, now_ns: int) -> JoySample:
        """The pad as it is now; a button that was pressed and let go since the last read is down.

        Raises:
            RobotConnectionError: it was unplugged.
        """
        if self._device is None:
            raise RobotConnectionError("the gamepad is not open")
        try:
            while (event := self._device.read_one()) is not None:
                self._take(event)
        except OSError as problem:
            raise RobotConnectionError(
                f"the gamepad was disconnected: {problem.strerror}"
            ) from problem
        pressed, self._pressed = self._pressed, set()
        buttons = (int(down or code in pressed) for code, down in self._buttons.items())
        return JoySample(now_ns, tuple(self._axes.values()), tuple(buttons))

    def _take(self, event: Any) -> None:
        if event.type == _EV_ABS and event.code in self._ranges:
            self._axes[event.code] = self._ranges[event.code].normalise(event.value)
        elif event.type == _EV_KEY and event.code in self._buttons:
            self._buttons[event.code] = int(event.value != 0)
            if event.value:
                self._pressed.add(event.code)
        elif event.type == _EV_SYN and event.code == _SYN_DROPPED:
            self._resynchronise()

    def _resynchronise(self) -> None:
        """Ask for the state itself: on opening, and when the kernel dropped events."""
        down = set(self._device.active_keys())
        self._pressed.clear()
        self._buttons = {code: int(code in down) for code in self._buttons}
        for code, limits in self._ranges.items():
            self._axes[code] = limits.normalise(self._device.absinfo(code).value)

    def _open(self, path: str) -> Any:
        if self._open_device is not None:
            return self._open_device(path)
        try:
            return _evdev().InputDevice(path)
        except OSError as problem:
            reason = f"{path}: {problem.strerror}"
            text = f"the gamepad cannot be opened ({reason}); is your user in the group 'input'?"
            raise DependencyError(text) from problem

    def _find(self) -> Any:
        readable = _evdev().list_devices()
        for path in sorted(readable):
            device = self._open(path)
            keys = device.capabilities().get(_EV_KEY, [])
            if any(_BTN_JOYSTICK <= code <= _BTN_LAST for code in keys):
                return device
            device.close()
        raise DependencyError(
            f"no gamepad among {amount(len(readable), 'readable input device')} "
            "(/dev/input/event*): plug one in, and see that your user is in the group 'input'"
        )


def _evdev() -> Any:
    try:
        import evdev
    except ImportError as problem:
        text = "the built-in gamepad driver needs evdev: pip install 'robot_learning[teleop]'"
        raise DependencyError(text) from problem
    return evdev
