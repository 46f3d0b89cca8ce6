"""Begins and ends demonstrations by what an operator's keys or a recorder say.

It sets the node's own parameter `demonstrating`, which hence always shows the present state.
"""

from __future__ import annotations

import json

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String

from robot_learning.ros.common import qos
from robot_learning.teleop.device import OperatorEvent

DEMONSTRATING = "demonstrating"
_ENDING = {
    event.value
    for event in (
        OperatorEvent.STOP,
        OperatorEvent.DISCARD,
        OperatorEvent.SUCCESS,
        OperatorEvent.FAILURE,
    )
}


class DemonstrationTrigger:
    """Follows `teleop/event` ("operator"), `recorder/status` ("recorder"), or nothing."""

    def __init__(self, node: Node, follows: str) -> None:
        self._node = node
        if follows == "operator":
            node.create_subscription(String, "teleop/event", self._on_event, qos.EVENT)
        elif follows == "recorder":
            node.create_subscription(String, "recorder/status", self._on_recorder, qos.LATCHED)

    def _on_event(self, message: String) -> None:
        if message.data == OperatorEvent.START.value:
            self._set(True)
        elif message.data in _ENDING:
            self._set(False)

    def _on_recorder(self, message: String) -> None:
        try:
            self._set(bool(json.loads(message.data)["recording"]))
        except (ValueError, KeyError, TypeError):
            text = "recorder/status tells nothing of a recording"
            self._node.get_logger().error(text, throttle_duration_sec=1.0)

    def _set(self, value: bool) -> None:
        if self._node.get_parameter(DEMONSTRATING).value == value:
            return
        (result,) = self._node.set_parameters([Parameter(DEMONSTRATING, value=value)])
        if result.successful:
            self._node.get_logger().info(f"demonstration {'begun' if value else 'ended'}")
        else:
            self._node.get_logger().error(f"no demonstration: {result.reason}")
