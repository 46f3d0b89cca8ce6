"""What a policy of several members tells of its doubt: `policy/doubt`, a String of JSON, latched.

stamp_ns    when it was told
doubt       of the newest chunk; null where it is not a number
ask_above   doubt above which the policy asks for help while it drives; null: never
asks        whether it does, and waits for an answer; the arbiter holds meanwhile
"""

from __future__ import annotations

import json
import math

from rclpy.node import Node
from std_msgs.msg import String

from robot_learning.ros import qos
from robot_learning.serving.policy_runner import PolicyRunner

TOPIC = "policy/doubt"
_WAITS = "HOLD"


class DoubtOutput:
    """Tells it of one arm's runner, with each of its chunks and when it asks or was answered."""

    def __init__(self, node: Node, prefix: str, runner: PolicyRunner) -> None:
        self._node, self._runner = node, runner
        self._publisher = node.create_publisher(String, f"{prefix}{TOPIC}", qos.LATCHED)

    def tell(self) -> None:
        """Publish, where there is a doubt at all."""
        if self._runner.doubt is not None:
            self._publish()

    def notice_mode(self, mode: str) -> None:
        """Of the arbiter, once it has changed: any but the one that waits is an answer."""
        if self._runner.asks and mode != _WAITS:
            self._runner.asks = False
            self._publish()

    def close(self) -> None:
        """Destroy the publisher."""
        self._node.destroy_publisher(self._publisher)

    def _publish(self) -> None:
        runner = self._runner
        document = {
            "stamp_ns": self._node.get_clock().now().nanoseconds,
            "doubt": None if runner.doubt is None else _finite(runner.doubt),
            "ask_above": _finite(runner.settings.ask_above),
            "asks": runner.asks,
        }
        self._publisher.publish(String(data=json.dumps(document, separators=(",", ":"))))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
