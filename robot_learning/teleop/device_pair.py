"""Two devices as one: one moves the robot, the other carries the operator's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from robot_learning.teleop.device import (
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)


class DevicePair(TeleopDevice):
    """`motion` drives (a leader arm, a SpaceMouse); `panel`'s keys only give events.

    The panel's events reach the motion device, so that `take_over` on a keyboard engages a
    leader arm and `hold` releases it. A panel that is lost releases the motion device: the
    operator must never be without a way to let go.
    """

    def __init__(self, motion: TeleopDevice, panel: TeleopDevice) -> None:
        self.motion = motion
        self._panel = panel

    def open(self) -> None:
        """Open both; when the second fails, the first is closed again."""
        self.motion.open()
        try:
            self._panel.open()
        except BaseException:
            self.motion.close()
            raise

    def close(self) -> None:
        """Close both."""
        self._panel.close()
        self.motion.close()

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """The motion of the one, the events of both."""
        panel = self._panel.poll(now_ns, context)
        for event in panel.events:
            self.motion.handle(event)
        if not panel.health.alive:
            self.motion.handle(OperatorEvent.HOLD)
        motion = self.motion.poll(now_ns, context)
        health = motion.health if panel.health.alive else panel.health
        return replace(
            motion,
            engaged=motion.engaged and health.alive,
            motions=motion.motions if health.alive else (),
            grip=motion.grip if health.alive else {},
            events=(*panel.events, *motion.events),
            health=health,
        )

    def handle(self, event: OperatorEvent) -> None:
        """Pass an event on to both."""
        self.motion.handle(event)
        self._panel.handle(event)

    def on_press(self, wake: Callable[[], None]) -> None:
        """A press on either wakes."""
        self.motion.on_press(wake)
        self._panel.on_press(wake)

    @property
    def event_keys(self) -> Mapping[OperatorEvent, str]:
        """Those of both; where both have one, the panel's."""
        return {**self.motion.event_keys, **self._panel.event_keys}

    def describe(self) -> str:
        """Both devices' maps."""
        return f"{self.motion.describe()}\n\nOperator keys only:\n{self._panel.describe()}"
