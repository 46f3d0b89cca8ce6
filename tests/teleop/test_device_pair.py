"""A SpaceMouse that moves and a gamepad whose buttons are the operator's keys."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from device_contract import PERIOD_NS, DeviceContract, context_at

from robot_learning.core.errors import DependencyError
from robot_learning.teleop.device import OperatorEvent
from robot_learning.teleop.device_pair import DevicePair
from robot_learning.teleop.gamepad import Gamepad, JoySample
from robot_learning.teleop.gamepad_map import load_gamepad_map
from robot_learning.teleop.spacemouse import SpaceMouse, load_spacemouse_map


class Wire:
    """A SpaceMouse whose cap is pushed away, while `pushed`."""

    def __init__(self) -> None:
        self.pushed = False
        self.closed = False
        self.sent = False

    def read(self, _max_length: int) -> list[int]:
        self.sent = not self.sent
        return [1, 0, 0, 0xA2, 0xFE, 0, 0] if self.pushed and self.sent else []

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def parts(profile) -> SimpleNamespace:
    wire, panel = Wire(), Gamepad(profile, load_gamepad_map("xbox"))
    mouse = SpaceMouse(profile, load_spacemouse_map(), lambda: wire)
    return SimpleNamespace(wire=wire, panel=panel, device=DevicePair(mouse, panel))


def press(panel: Gamepad, now_ns: int, *buttons: int) -> None:
    panel.feed(JoySample(now_ns, (0.0,) * 8, tuple(int(n in buttons) for n in range(11))))


class TestContract(DeviceContract):
    @pytest.fixture
    def device(self, parts) -> DevicePair:
        return parts.device

    @pytest.fixture
    def engage(self, parts) -> Callable[[int], None]:
        def engage(now_ns: int) -> None:
            parts.wire.pushed = True
            press(parts.panel, now_ns)

        return engage

    @pytest.fixture
    def lose(self) -> Callable[[], None]:
        return lambda: None  # the panel falls silent, the mouse stays


def test_the_panel_s_keys_take_over_and_let_go(parts, profile) -> None:
    parts.device.open()
    engaged, events = [], []
    for tick, buttons in enumerate([(), (2,), (), (10,), ()]):  # x: take_over, 10: hold
        now_ns = tick * PERIOD_NS
        press(parts.panel, now_ns, *buttons)
        wanted = parts.device.poll(now_ns, context_at(profile.home))
        engaged.append(wanted.engaged)
        events += wanted.events
    assert engaged == [False, True, True, False, False]
    assert events == [OperatorEvent.TAKE_OVER, OperatorEvent.HOLD]


def test_a_press_on_the_panel_wakes(parts) -> None:
    woken: list[int] = []
    parts.device.on_press(lambda: woken.append(1))
    press(parts.panel, 0)
    press(parts.panel, PERIOD_NS, 2)
    assert woken == [1]


def test_a_panel_that_cannot_be_opened_closes_the_other(parts, profile) -> None:
    def no_pad() -> None:
        raise DependencyError("no pad")

    mouse = SpaceMouse(profile, load_spacemouse_map(), lambda: parts.wire)
    panel = Gamepad(profile, load_gamepad_map("xbox"), no_pad)
    with pytest.raises(DependencyError):
        DevicePair(mouse, panel).open()
    assert parts.wire.closed
