"""Axes and buttons by name become intent: what gamepads and SpaceMice share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.actions import split_sign
from robot_learning.teleop.device import Health, OperatorEvent, TeleopInput
from robot_learning.teleop.gamepad_map import AxisMap
from robot_learning.teleop.jog_panel import JogPanel, PanelState


def rescale_dead_zone(value: float, dead_zone: float) -> float:
    """Zero inside the dead zone, then linear from 0 at its edge to 1 at full deflection.

    >>> rescale_dead_zone(0.1, 0.5), rescale_dead_zone(-1.0, 0.5), rescale_dead_zone(0.75, 0.5)
    (0.0, -1.0, 0.5)
    """
    magnitude = min(1.0, abs(value))
    if not magnitude > dead_zone:
        return 0.0
    scaled = (magnitude - dead_zone) / (1.0 - dead_zone)
    return scaled if value > 0 else -scaled


class AnalogPanel:
    """A `JogPanel` behind an `AxisMap`."""

    def __init__(self, profile: RobotProfile, bindings: AxisMap) -> None:
        self._bindings = bindings
        self._panel = JogPanel(profile, bindings.engagement, bindings.joint_mode)

    def handle(self, event: OperatorEvent) -> None:
        """Take an event from elsewhere."""
        self._panel.handle(event)

    def step(
        self,
        now_ns: int,
        axes: Mapping[str, float],
        buttons_down: Iterable[str],
        buttons_pressed: Iterable[str],
        health: Health,
    ) -> TeleopInput:
        """The operator's intent for these axes and buttons, by name.

        Args:
            now_ns: time of the poll.
            axes: deflection of each axis by its name, in [-1, 1]; one that is absent counts as 0.
            buttons_down: names of the buttons that are held.
            buttons_pressed: names of the buttons that went down since the last poll, oldest first.
            health: whether the device can be trusted.
        """
        bound = self._bindings
        active = bound.joint_axes if self._panel.joint_mode else bound.cartesian_axes
        deflection: dict[str, float] = {}
        for name, action in active.items():
            axis, sign = split_sign(action)
            value = rescale_dead_zone(axes.get(name, 0.0), bound.dead_zone)
            deflection[axis] = deflection.get(axis, 0.0) + sign * value
        pressed = [bound.buttons[name] for name in buttons_pressed if name in bound.buttons]
        state = PanelState(
            held={bound.buttons[name] for name in buttons_down if name in bound.buttons},
            pressed=pressed,
            deflection=deflection,
            health=health,
            fresh="dead_man" in pressed,
        )
        return self._panel.step(now_ns, state)
