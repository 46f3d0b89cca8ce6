"""What an ensemble reports of its disagreement: `policy/doubt`, a String of JSON, latched.

stamp_ns    time of the report
doubt       disagreement about the newest chunk; null where it is not a number
ask_above   disagreement above which the policy asks for help while it drives; null: never
risk        risk of the newest chunk, about 0 to 1; null where the policy has no estimate of it
risk_above  risk above which the policy asks for help; null: never
asks        whether it asks for help and waits for an answer; the arbiter holds meanwhile
reason      why it asked last: novelty or risk; empty before
ready       whether a person who drives may hand back, as ThriftyDAgger has it: the policy would
            do much the same, its members agree, and its risk is below the median; null without a
            gate
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from robot_learning.core.vocabulary import Mode
from robot_learning.messages.stamps import header_stamp_ns
from robot_learning.ros.common import qos
from robot_learning.serving.policy_runner import PolicyRunner

TOPIC = "policy/doubt"


class DisagreementOutput:
    """Publishes it for one arm: with each chunk, and when the policy asks or was answered."""

    def __init__(self, node: Node, prefix: str, runner: PolicyRunner) -> None:
        self._node, self._runner = node, runner
        self._mode: Mode | None = None
        self._agrees = False
        self._publisher = node.create_publisher(String, f"{prefix}{TOPIC}", qos.LATCHED)
        self._human_topic = f"{prefix}arbiter/human"
        self._human: Any = None

    def tell(self) -> None:
        """Publish, where a disagreement was measured."""
        if self._runner.disagreement is not None:
            self._publish()

    def notice_mode(self, mode: Mode) -> None:
        """Of the arbiter, once it has changed: any but the one that waits is an answer."""
        self._mode, self._agrees = mode, False
        if mode is Mode.HUMAN and self._is_gated and self._human is None:
            self._human = self._node.create_subscription(
                JointState, self._human_topic, self._on_human, qos.STREAM_IN
            )
        if self._runner.asks and mode is not Mode.HOLD:
            self._runner.asks = False
            self._publish()

    def close(self) -> None:
        """Destroy what it made."""
        if self._human is not None:
            self._node.destroy_subscription(self._human)
        self._node.destroy_publisher(self._publisher)

    @property
    def _is_gated(self) -> bool:
        return self._runner.settings.limits.discrepancy < math.inf

    @property
    def _ready(self) -> bool | None:
        if not self._is_gated:
            return None
        return (
            self._mode is Mode.HUMAN and self._agrees and self._runner.is_below_handback_threshold
        )

    def _on_human(self, message: JointState) -> None:
        """What the person did; the policy's plan says what it would have done then."""
        plan = self._runner.planner.plan
        if self._mode is not Mode.HUMAN or plan is None:
            return
        _, rows = plan.points_from(header_stamp_ns(message), 0)
        self._agrees = len(message.position) == len(rows[0])
        if self._agrees:
            difference = rows[0] - np.asarray(message.position)
            limit = self._runner.settings.limits.discrepancy
            self._agrees = bool(difference @ difference <= limit)

    def _publish(self) -> None:
        runner = self._runner
        limits = runner.settings.limits
        document = {
            "stamp_ns": self._node.get_clock().now().nanoseconds,
            "doubt": _finite(runner.disagreement),
            "ask_above": _finite(limits.disagreement),
            "risk": _finite(runner.risk),
            "risk_above": _finite(limits.risk),
            "asks": runner.asks,
            "reason": runner.reason,
            "ready": self._ready,
        }
        self._publisher.publish(String(data=json.dumps(document, separators=(",", ":"))))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
