"""Subscribes to what the arbiter decides."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import String

from robot_learning.core.errors import MessageError
from robot_learning.messages.arbiter_state import TOPIC, ArbiterStateMessage
from robot_learning.ros.common import qos


def listen_to_arbiter(
    node: Node, on_state: Callable[[ArbiterStateMessage], None], prefix: str = ""
) -> Subscription:
    """Call back with every document of `arbiter/state` below `prefix`.

    One that cannot be read is logged and passed over.

    Args:
        node: node that subscribes.
        on_state: called with each document.
        prefix: namespace of the topic, ending with a slash; empty for the node's own.
    """

    def on_message(message: String) -> None:
        try:
            state = ArbiterStateMessage.from_json(message.data)
        except MessageError as error:
            node.get_logger().error(str(error), throttle_duration_sec=1.0)
        else:
            on_state(state)

    return node.create_subscription(String, f"{prefix}{TOPIC}", on_message, qos.LATCHED)
