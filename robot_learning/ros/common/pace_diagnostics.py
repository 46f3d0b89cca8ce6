"""Tells on `diagnostics` how well a node's loop keeps its rate, and listens to what others tell."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from robot_learning.core.clocks import Clock
from robot_learning.core.pace import Pace, PaceMeter, SlowLoops
from robot_learning.core.pacing import Pacer
from robot_learning.ros.common import conversions, qos

_PART = ": pace"


class PaceOutput:
    """Publishes the pace of one node's loop, once a second: a warning where it is too slow."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node, self._clock = node, clock
        self._meter = PaceMeter()
        self._publisher = node.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)

    def update(self, pacer: Pacer | None) -> None:
        """Call it after each turn of the loop."""
        pace = self._meter.update(pacer, self._clock.now_ns())
        if pace is not None:
            self._publisher.publish(self._message(pace))

    def _message(self, pace: Pace) -> DiagnosticArray:
        message = DiagnosticArray()
        stamp_ns = int(self._node.get_clock().now().nanoseconds)
        message.header.stamp = conversions.time_message(stamp_ns)
        message.status = [
            DiagnosticStatus(
                level=DiagnosticStatus.WARN if pace.is_slow else DiagnosticStatus.OK,
                name=f"{self._node.get_name()}{_PART}",
                message=str(pace),
                values=[
                    KeyValue(key="rate_hz", value=f"{pace.rate_hz:.4g}"),
                    KeyValue(key="nominal_hz", value=f"{pace.nominal_hz:.4g}"),
                ],
            )
        ]
        return message


class PaceInput:
    """Which nodes of the graph are too slow, by their `diagnostics`."""

    def __init__(self, node: Node, clock: Clock) -> None:
        self._clock = clock
        self._loops = SlowLoops()
        node.create_subscription(
            DiagnosticArray, "diagnostics", self._on_diagnostics, qos.DIAGNOSTICS
        )

    @property
    def line(self) -> str:
        """One line for people; empty while all keep their rates."""
        return self._loops.line(self._clock.now_ns())

    @property
    def brief(self) -> str:
        """The slowest node in few words; empty while all keep their rates."""
        return self._loops.brief(self._clock.now_ns())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(_PART):
                name = status.name.removesuffix(_PART)
                rates = {pair.key: float(pair.value) for pair in status.values}
                is_slow = status.level != DiagnosticStatus.OK
                pace = Pace(rates["rate_hz"], rates["nominal_hz"], is_slow)
                self._loops.note(name, pace, self._clock.now_ns())
