"""A 3Dconnexion SpaceMouse through hidapi: six axes and two buttons.

Its HID reports are decoded here; the transport below them can be replaced, so that tests fake
the wire and not the driver. hidapi rather than pyspacemouse: that one wraps hidapi too, keeps
its state in module globals, and hides a device that went away behind its last state.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import DependencyError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.actions import event_keys
from robot_learning.teleop.analog_panel import AnalogPanel
from robot_learning.teleop.device import (
    ALIVE,
    Health,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)
from robot_learning.teleop.gamepad_map import AxisMap, load_axis_map

AXIS_NAMES = ("push_away", "push_left", "lift", "tilt_left", "tilt_away", "twist_left")
BUTTON_NAMES = ("left", "right")
DEFAULT_MAP = "spacemouse"
REPORT_BYTES = 64
_TRANSLATION, _ROTATION, _BUTTONS = 1, 2, 3
_FULL_SCALE = 350.0
# A deflected cap reports at 60 Hz or more; a deflection that is no longer confirmed is a lost
# report, not a steady hand.
STALE_S = 0.3
_VENDORS = (0x256F, 0x046D)
_LOGITECH_PRODUCTS = range(0xC603, 0xC640)


class HidTransport(Protocol):
    """The wire: hidapi's `hid.device`, opened and not blocking."""

    def read(self, max_length: int) -> list[int]:
        """The next report with its id first; empty when none waits. OSError: unplugged."""
        ...

    def close(self) -> None:
        """Close the device."""
        ...


class SpaceMouseReports:
    """The state of the cap and the buttons, from the reports.

    Attributes:
        axes: deflection of each axis by its name; 1 is the full scale.
        told: names of the axes that a report was about since this was emptied.
        buttons: whether each button is down, by its name.
    """

    def __init__(self) -> None:
        self.axes = dict.fromkeys(AXIS_NAMES, 0.0)
        self.told: set[str] = set()
        self.buttons = dict.fromkeys(BUTTON_NAMES, False)

    def take(self, report: bytes) -> None:
        """Decode one report; others (battery, calibration, cut short) are of no interest."""
        if len(report) >= 7 and report[0] == _TRANSLATION:
            self._translate(report[1:7])
            # Newer devices put all six axes into one report.
            if len(report) >= 13:
                self._rotate(report[7:13])
        elif len(report) >= 7 and report[0] == _ROTATION:
            self._rotate(report[1:7])
        elif len(report) >= 2 and report[0] == _BUTTONS:
            for bit, name in enumerate(BUTTON_NAMES):
                self.buttons[name] = bool(report[1] >> bit & 1)

    def _translate(self, raw: bytes) -> None:
        # The device's x is right, y towards the user, z down.
        right, near, down = struct.unpack("<3h", raw)
        self._tell(push_away=-near, push_left=-right, lift=-down)

    def _rotate(self, raw: bytes) -> None:
        # Right-handed about the device's x, y, z.
        about_right, about_near, about_down = struct.unpack("<3h", raw)
        self._tell(tilt_away=-about_right, tilt_left=about_near, twist_left=-about_down)

    def _tell(self, **raw: int) -> None:
        self.axes |= {name: value / _FULL_SCALE for name, value in raw.items()}
        self.told |= raw.keys()


class SpaceMouse(TeleopDevice):
    """Jogs an arm in six axes at once.

    Args:
        profile: the robot.
        axis_map: bindings of `AXIS_NAMES` and `BUTTON_NAMES`.
        open_transport: opens the wire; the first SpaceMouse that hidapi finds unless given.
    """

    def __init__(
        self,
        profile: RobotProfile,
        axis_map: AxisMap,
        open_transport: Callable[[], HidTransport] | None = None,
    ) -> None:
        self._profile, self._map = profile, axis_map
        self._panel = AnalogPanel(profile, axis_map)
        self._open_transport = open_transport or _open_first
        self._transport: HidTransport | None = None
        self._reports = SpaceMouseReports()
        self._told_ns: dict[str, int] = {}
        self._lost = "the SpaceMouse is not open"

    def open(self) -> None:
        """Open the device.

        Raises:
            DependencyError: hidapi is missing, no SpaceMouse is found, or it may not be read.
        """
        if self._transport is None:
            self._transport = self._open_transport()
            self._reports, self._lost = SpaceMouseReports(), ""
            self._told_ns.clear()

    def close(self) -> None:
        """Close the device."""
        transport, self._transport = self._transport, None
        self._lost = "the SpaceMouse is not open"
        if transport is not None:
            transport.close()

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """The cap as it is now; see `TeleopDevice.poll`."""
        pressed: list[str] = []
        if self._transport is not None:
            try:
                self._read_all(self._transport, now_ns, pressed)
            except (OSError, ValueError) as problem:
                self.close()
                self._lost = f"the SpaceMouse was disconnected: {problem}"
        if self._transport is None:
            return self._panel.step(now_ns, {}, (), (), Health(False, self._lost))
        # Neither a button nor the cap's other half says that an axis is still deflected.
        axes = {
            name: self._reports.axes[name]
            for name, told_ns in self._told_ns.items()
            if now_ns - told_ns <= STALE_S * NS_PER_S
        }
        down = [name for name, value in self._reports.buttons.items() if value]
        return self._panel.step(now_ns, axes, down, pressed, ALIVE)

    @property
    def event_keys(self) -> Mapping[OperatorEvent, str]:
        """See `TeleopDevice.event_keys`."""
        return event_keys(self._map.buttons)

    def describe(self) -> str:
        """The map."""
        return self._map.describe(self._profile)

    def handle(self, event: OperatorEvent) -> None:
        """Engage or let go."""
        self._panel.handle(event)

    def _read_all(self, transport: HidTransport, now_ns: int, pressed: list[str]) -> None:
        while report := transport.read(REPORT_BYTES):
            before = dict(self._reports.buttons)
            self._reports.take(bytes(report))
            pressed += [name for name, on in self._reports.buttons.items() if on > before[name]]
        self._told_ns |= dict.fromkeys(self._reports.told, now_ns)
        self._reports.told.clear()


def load_spacemouse_map(map_name: str = DEFAULT_MAP) -> AxisMap:
    """Read a SpaceMouse map by name or path.

    Raises:
        ConfigurationError: an unknown axis, button or action.
    """
    return load_axis_map(map_name, "spacemouse", AXIS_NAMES, BUTTON_NAMES)


def _open_first() -> HidTransport:
    try:
        import hid
    except ImportError as problem:
        text = "the SpaceMouse needs hidapi: pip install 'robot_learning[teleop]'"
        raise DependencyError(text) from problem
    found = [info for info in hid.enumerate() if _is_spacemouse(info)]
    if not found:
        raise DependencyError("no SpaceMouse found; is it plugged in and switched on?")
    device: Any = hid.device()
    try:
        device.open_path(found[0]["path"])
        device.set_nonblocking(True)
    except OSError as problem:
        raise DependencyError(
            'the SpaceMouse may not be read: add a udev rule, KERNEL=="hidraw*", '
            'ATTRS{idVendor}=="256f", MODE="0660", TAG+="uaccess", and plug it in again'
        ) from problem
    transport: HidTransport = device
    return transport


def _is_spacemouse(info: dict[str, Any]) -> bool:
    vendor, product = info["vendor_id"], info["product_id"]
    # Both vendors list keyboards and mice too; the multi-axis controller is usage 8 of page 1.
    multi_axis = (info.get("usage_page"), info.get("usage")) in {(1, 8), (0, 0)}
    known = vendor == _VENDORS[0] or (vendor == _VENDORS[1] and product in _LOGITECH_PRODUCTS)
    return known and multi_axis
