"""A gamepad by the meaning of `sensor_msgs/Joy`: axes, buttons, and when they arrived.

The samples come from any Joy driver (through `feed`) or from the built-in one
(`evdev_gamepad`). Their arrival is the heartbeat: no sample for the map's timeout means that
the pad or its driver is lost, so run the driver with an autorepeat of 20 Hz or more.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import RobotConnectionError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.actions import event_keys
from robot_learning.teleop.analog_panel import AnalogPanel
from robot_learning.teleop.axis_rest import AxisRests
from robot_learning.teleop.device import (
    ALIVE,
    Health,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)
from robot_learning.teleop.gamepad_map import GamepadMap

# Short, so that all of it is seen in 80 columns.
_ABSENT = "no gamepad: start a joy driver or use gamepad_direct"


@dataclass(frozen=True, slots=True)
class JoySample:
    """A Joy message: axes in [-1, 1] (up and left positive), buttons 0 or 1.

    `receive_ns` is when it arrived, on the clock that `poll` is given.
    """

    receive_ns: int
    axes: tuple[float, ...]
    buttons: tuple[int, ...]


class JoyDriver(Protocol):
    """Reads a gamepad without ROS."""

    def open(self) -> None:
        """Acquire the pad."""
        ...

    def close(self) -> None:
        """Release it."""
        ...

    def read(self, now_ns: int) -> JoySample:
        """The pad as it is now, without blocking.

        Raises:
            RobotConnectionError: the pad is gone.
        """
        ...


class Gamepad(TeleopDevice):
    """Jogs an arm with sticks, while the dead-man button is held.

    Args:
        profile: the robot.
        gamepad_map: order and bindings of axes and buttons.
        make_driver: the built-in driver; None when samples are fed.
    """

    def __init__(
        self,
        profile: RobotProfile,
        gamepad_map: GamepadMap,
        make_driver: Callable[[], JoyDriver] | None = None,
    ) -> None:
        self._profile, self._map = profile, gamepad_map
        bindings = gamepad_map.bindings
        self._panel = AnalogPanel(profile, bindings)
        self._rests = AxisRests(gamepad_map.rest_values, bindings.dead_zone, bindings.name)
        self._make_driver = make_driver
        self._driver: JoyDriver | None = None
        self._lock = threading.Lock()
        self._sample: JoySample | None = None
        self._pressed: list[str] = []
        self._lost = ""
        self._wake: Callable[[], None] | None = None

    def open(self) -> None:
        """Acquire the built-in driver's pad, if there is one."""
        if self._make_driver is not None and self._driver is None:
            driver = self._make_driver()
            driver.open()
            self._driver, self._lost = driver, ""

    def close(self) -> None:
        """Release the pad and forget what it said."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()
        with self._lock:
            self._sample = None
            self._pressed.clear()
            self._rests.forget()

    @property
    def is_fed(self) -> bool:
        """Whether the samples must come from outside."""
        return self._make_driver is None

    def feed(self, sample: JoySample) -> None:
        """Take a sample; presses between two polls are kept. May come from another thread."""
        with self._lock:
            last, self._sample = self._sample, sample
            self._rests.see(self._axes(sample), self._is_held(sample))
            if last is None:
                return
            states = zip(self._map.button_names, last.buttons, sample.buttons, strict=False)
            pressed = [name for name, was, now in states if now and not was]
            self._pressed += pressed
        if pressed and self._wake is not None:
            self._wake()

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """The pad as it is now; see `TeleopDevice.poll`."""
        if self._driver is not None:
            try:
                self.feed(self._driver.read(now_ns))
            except RobotConnectionError as problem:
                self._lost = str(problem)
                self._driver.close()
                self._driver = None
        with self._lock:
            sample, pressed = self._sample, tuple(self._pressed)
            self._pressed.clear()
            health = self._health(now_ns, sample)
            if sample is not None and health.alive:
                axes = self._axes(sample)
                deflections = self._rests.deflections(axes)
                if self._is_held(sample) and (ignored := self._rests.ignored(axes)):
                    health = Health(True, ignored)
        if sample is None or not health.alive:
            return self._panel.step(now_ns, {}, (), (), health)
        down = self._down(sample)
        return self._panel.step(now_ns, deflections, down, pressed, health)

    @property
    def event_keys(self) -> Mapping[OperatorEvent, str]:
        """See `TeleopDevice.event_keys`."""
        return event_keys(self._map.bindings.buttons)

    def describe(self) -> str:
        """The map."""
        return self._map.bindings.describe(self._profile)

    def handle(self, event: OperatorEvent) -> None:
        """Let go, as a button would; only the dead-man button engages."""
        self._panel.handle(event)

    def on_press(self, wake: Callable[[], None]) -> None:
        """See `TeleopDevice.on_press`; a built-in driver is polled, so it does nothing."""
        if self.is_fed:
            self._wake = wake

    def _axes(self, sample: JoySample) -> dict[str, float]:
        return dict(zip(self._map.axis_names, sample.axes, strict=False))

    def _down(self, sample: JoySample) -> list[str]:
        states = zip(self._map.button_names, sample.buttons, strict=False)
        return [name for name, value in states if value]

    def _is_held(self, sample: JoySample) -> bool:
        buttons = self._map.bindings.buttons
        return any(buttons.get(name) == "dead_man" for name in self._down(sample))

    def _health(self, now_ns: int, sample: JoySample | None) -> Health:
        if self._lost:
            return Health(False, self._lost)
        if sample is None:
            return Health(False, _ABSENT)
        age_s = (now_ns - sample.receive_ns) / NS_PER_S
        if not 0.0 <= age_s <= self._map.heartbeat_timeout_s:
            return Health(False, f"no joy message for {age_s:.2f} s")
        axes, buttons = len(self._map.axis_names), len(self._map.button_names)
        if len(sample.axes) < axes or len(sample.buttons) < buttons:
            found = (
                f"{amount(len(sample.axes), 'axis', 'axes')} and "
                f"{amount(len(sample.buttons), 'button')}"
            )
            name = self._map.bindings.name
            text = f"the joy message has {found}; map '{name}' needs {axes} and {buttons}"
            return Health(False, text)
        if not all(math.isfinite(value) for value in sample.axes):
            return Health(False, "the joy message holds a value that is not finite")
        return ALIVE
