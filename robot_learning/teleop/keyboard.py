"""The keyboard, through pynput: real presses and releases, from X or from Linux input devices.

The backend is pynput's: X by default, and the input devices themselves with
PYNPUT_BACKEND_KEYBOARD=uinput PYNPUT_BACKEND_MOUSE=dummy (Wayland, or no display at all).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from robot_learning.core.errors import ConfigurationError, DependencyError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.actions import DRIVING, event_keys, split_sign
from robot_learning.teleop.device import (
    ALIVE,
    Health,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)
from robot_learning.teleop.jog_panel import JogPanel, PanelState
from robot_learning.teleop.key_tracker import KeyTracker
from robot_learning.teleop.keyboard_map import KeyboardMap
from robot_learning.teleop.x_keyboard import XKeyboard, read_in_small_pieces

_log = logging.getLogger(__name__)
_UINPUT_VARIABLES = "PYNPUT_BACKEND_KEYBOARD=uinput PYNPUT_BACKEND_MOUSE=dummy"
_UINPUT_NEEDS = (
    "the uinput backend needs membership of the group 'input' and the program dumpkeys "
    "(Debian package 'kbd')"
)
# Not alt_r: on many layouts it types characters (AltGr).
_MODIFIERS = ("ctrl_l", "ctrl_r", "alt_l", "cmd_l", "cmd_r")
_TWINS = {"shift": ("shift_l", "shift_r"), "ctrl": ("ctrl_l", "ctrl_r"), "alt": ("alt_l", "alt_r")}


class _KeyState(Protocol):
    """What a backend knows of the physical keyboard beside its events."""

    def code(self, virtual_key: int) -> int | None: ...

    def char_code(self, char: str) -> int | None: ...

    def down(self) -> frozenset[int]: ...

    def focused(self) -> bool: ...

    def close(self) -> None: ...


class Keyboard(TeleopDevice):
    """Jogs an arm with held keys.

    Args:
        profile: the robot.
        keyboard_map: what each key does.
        watch_focus: ignore keys while another window has the keyboard (X only).
        has_leader: whether the keyboard is used beside a leader arm, with which its keys align.
    """

    def __init__(
        self,
        profile: RobotProfile,
        keyboard_map: KeyboardMap,
        watch_focus: bool = True,
        *,
        has_leader: bool = False,
    ) -> None:
        self._profile, self._map = profile, keyboard_map
        self._watch_focus, self._has_leader = watch_focus, has_leader
        self._panel = JogPanel(profile, keyboard_map.engagement, keyboard_map.joint_mode)
        self._tracker = KeyTracker()
        self._listener: Any = None
        self._state: _KeyState | None = None
        self._common: dict[int, str] = {}
        self._cartesian: dict[int, str] = {}
        self._joint: dict[int, str] = {}
        self._lost: str | None = None
        self._wake: Callable[[], None] | None = None

    def open(self) -> None:
        """Connect to the keyboard.

        Raises:
            DependencyError: pynput, a display or a right is missing; one line says what to do.
            ConfigurationError: two bound keys are the same physical key, or the layout lacks one.
        """
        if self._listener is not None:
            return
        pynput_keyboard = _import_pynput()
        self._lost = None
        try:
            listener = pynput_keyboard.Listener(on_press=self._press, on_release=self._release)
            state: _KeyState = (
                _InputDeviceState(listener) if _uses_uinput() else XKeyboard(self._watch_focus)
            )
        except OSError as problem:
            raise DependencyError(f"no keyboard: {problem}; {_UINPUT_NEEDS}") from problem
        try:
            self._common = self._resolve(pynput_keyboard, state, self._map.keys)
            self._cartesian = self._resolve(pynput_keyboard, state, self._map.cartesian_keys)
            self._joint = self._resolve(pynput_keyboard, state, self._map.joint_keys)
        except ConfigurationError:
            state.close()
            raise
        self._tracker = KeyTracker(self._modifiers(pynput_keyboard, state))
        self._state, self._listener = state, listener
        listener.run = partial(_run_to_end, listener.run)
        listener.start()
        _wait_until_ready(listener)
        if not listener.is_alive():
            self.close()
            raise DependencyError("no keyboard: the connection was closed while it was set up")
        if isinstance(state, XKeyboard):
            read_in_small_pieces(listener._display_record)

    def close(self) -> None:
        """Stop listening."""
        listener, self._listener = self._listener, None
        state, self._state = self._state, None
        if listener is not None and listener.is_alive():
            if isinstance(state, XKeyboard):
                state.stop(listener)
            else:
                listener.stop()
            listener.join(1.0)
        if state is not None:
            state.close()

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """Keys as they are now; see `TeleopDevice.poll`."""
        physical, health = self._look()
        keys = self._tracker.poll(now_ns, health.alive, physical)
        if health.alive and not keys.trusted:
            health = Health(False, "the process was suspended; press again")
        jog = self._joint if self._panel.joint_mode else self._cartesian
        deflection: dict[str, float] = {}
        for code in keys.down & jog.keys():
            axis, sign = split_sign(jog[code])
            deflection[axis] = deflection.get(axis, 0.0) + sign
        state = PanelState(
            held={self._common[code] for code in keys.down & self._common.keys()},
            pressed=[self._common[code] for code in keys.pressed if code in self._common],
            deflection=deflection,
            health=health,
            fresh=any(code in jog or self._common.get(code) in DRIVING for code in keys.pressed),
        )
        return self._panel.step(now_ns, state)

    def describe(self) -> str:
        """The keys that can act on the robot."""
        return self._map.describe(self._profile, has_leader=self._has_leader)

    @property
    def event_keys(self) -> Mapping[OperatorEvent, str]:
        """See `TeleopDevice.event_keys`."""
        return event_keys(self._map.keys)

    def handle(self, event: OperatorEvent) -> None:
        """Engage or let go as if the key had been pressed."""
        self._panel.handle(event)

    def on_press(self, wake: Callable[[], None]) -> None:
        """See `TeleopDevice.on_press`; `wake` comes from the listener's thread."""
        self._wake = wake

    def _look(self) -> tuple[frozenset[int] | None, Health]:
        if self._state is None or self._listener is None:
            return None, Health(False, "the keyboard is not open")
        # The listener's thread dies silently with its connection; `running` stays True.
        if self._lost is None and not self._listener.is_alive():
            self._lost = "the connection to the keyboard is lost"
        if self._lost is not None:
            return None, Health(False, self._lost)
        try:
            physical, focused = self._state.down(), self._state.focused()
        except OSError as problem:
            self._lost = f"the keyboard is lost: {problem}"
            return None, Health(False, self._lost)
        if not focused:
            return physical, Health(False, "click on the terminal: another window has the keyboard")
        return physical, ALIVE

    def _press(self, key: Any) -> None:
        code = self._code_of(key)
        if code is not None and self._tracker.press(code) and self._wake is not None:
            self._wake()

    def _release(self, key: Any) -> None:
        code = self._code_of(key)
        if code is not None:
            self._tracker.release(code)

    def _code_of(self, key: Any) -> int | None:
        """The physical key, whatever the modifiers: 'W' and 'w' are one key."""
        key, state = getattr(key, "value", key), self._state
        if key is None or state is None:
            return None
        if key.vk is not None:
            return state.code(key.vk)
        return state.char_code(key.char) if key.char else None

    def _modifiers(self, pynput_keyboard: Any, state: _KeyState) -> frozenset[int]:
        """Codes of the modifiers that the map leaves to the window system."""
        codes = {state.code(pynput_keyboard.Key[name].value.vk) for name in _MODIFIERS}
        bound = self._common.keys() | self._cartesian.keys() | self._joint.keys()
        return frozenset(code for code in codes if code is not None and code not in bound)

    def _resolve(
        self, pynput_keyboard: Any, state: _KeyState, bindings: Mapping[str, str]
    ) -> dict[int, str]:
        resolved: dict[int, str] = {}
        names: dict[int, str] = {}
        for name, action in bindings.items():
            if len(name) == 1:
                codes = [state.char_code(name)]
            else:
                keys = [pynput_keyboard.Key[twin] for twin in _TWINS.get(name, (name,))]
                codes = [state.code(key.value.vk) for key in keys]
            found = {code for code in codes if code is not None}
            if not found:
                text = f"keyboard map '{self._map.name}': this keyboard's layout has no key"
                raise ConfigurationError(f"{text} '{name}' (action {action}); bind another")
            for code in found:
                if code in names:
                    text = f"keyboard map '{self._map.name}': '{name}' and '{names[code]}' are"
                    raise ConfigurationError(f"{text} the same key on this keyboard's layout")
                resolved[code], names[code] = action, name
        return resolved


class _InputDeviceState:
    """The state of the Linux input device that pynput's uinput listener reads."""

    def __init__(self, listener: Any) -> None:
        self._device = listener._dev
        self._layout = listener._layout

    def code(self, virtual_key: int) -> int | None:
        return virtual_key

    def char_code(self, char: str) -> int | None:
        try:
            code: int = self._layout.for_char(char)[0]
        except KeyError:
            return None
        return code

    def down(self) -> frozenset[int]:
        return frozenset(self._device.active_keys())

    def focused(self) -> bool:
        return True

    def close(self) -> None:
        """The listener owns the device."""


def _wait_until_ready(listener: Any) -> None:
    """Until events arrive, or the thread ended: pynput's own `wait` would wait for ever."""
    while listener.is_alive() and not listener._ready:
        time.sleep(0.002)


def _run_to_end(run: Callable[[], None]) -> None:
    """A listener's thread: its end is noticed and explained by `poll`, not by a traceback."""
    try:
        run()
    except Exception:
        _log.debug("the keyboard listener ended", exc_info=True)


def _uses_uinput() -> bool:
    return os.environ.get("PYNPUT_BACKEND_KEYBOARD") == "uinput"


def _import_pynput() -> Any:
    """The keyboard module of pynput, imported late: without a display the import itself fails."""
    if os.environ.get("XDG_SESSION_TYPE") == "wayland" and not _uses_uinput():
        _log.warning(
            "under Wayland, X sees no keys typed into Wayland windows; use %s", _UINPUT_VARIABLES
        )
    try:
        from pynput import keyboard
    except ImportError as problem:
        if getattr(problem, "name", None) == "pynput":
            text = "the keyboard needs pynput: pip install 'robot_learning[teleop]'"
            raise DependencyError(text) from problem
        first = str(problem).strip().split("\n")[0]
        if _uses_uinput():
            whole = os.environ.get("PYNPUT_BACKEND_MOUSE") == "dummy"
            hint = _UINPUT_NEEDS if whole else f"set {_UINPUT_VARIABLES}; {_UINPUT_NEEDS}"
            raise DependencyError(f"no keyboard ({first}): {hint}") from problem
        display = os.environ.get("DISPLAY")
        where = f"the X display '{display}' cannot be used" if display else "DISPLAY is not set"
        raise DependencyError(
            f"no keyboard: {where}. Set DISPLAY to a running X server, or read the input "
            f"devices with {_UINPUT_VARIABLES}; {_UINPUT_NEEDS}"
        ) from problem
    return keyboard
