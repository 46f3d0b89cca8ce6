"""Subscriptions that are emptied in one go instead of message by message through the executor.

An executor builds a wait set for every message, which at a thousand messages a second costs
more than everything that is done with them. Here each subscription's queue in the middleware is
taken until it is empty, some hundred times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

_MOST_AT_ONCE = 256

OnMessage = Callable[[Any, int], None]
"""(message, receipt in nanoseconds)"""


class _PolledGroup(CallbackGroup):  # type: ignore[misc]
    """Keeps its subscriptions out of every executor's wait set."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Polled:
    subscription: Subscription
    on_message: OnMessage


class PolledSubscriptions:
    """The subscriptions of one node that are polled by its own loop."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._group = _PolledGroup()
        self._polled: list[_Polled] = []
        self._sim_time = bool(node.get_parameter("use_sim_time").value)

    def add(self, kind: type, topic: str, profile: QoSProfile, on_message: OnMessage) -> None:
        """Subscribe; `profile` needs room for what arrives between two polls."""
        subscription = self._node.create_subscription(
            kind, topic, lambda _message: None, profile, callback_group=self._group
        )
        self._polled.append(_Polled(subscription, on_message))

    def poll(self, now_ns: int) -> None:
        """Call back for everything that has arrived; `now_ns` is the node's clock.

        In real time a message's receipt is when the middleware had it, which is more exact than
        the poll and, of what arrives meanwhile, later than `now_ns`; in simulated time it is
        `now_ns`.
        """
        for polled in self._polled:
            subscription = polled.subscription
            handle = subscription.handle
            with handle:
                for _ in range(_MOST_AT_ONCE):
                    taken = handle.take_message(subscription.msg_type, False)
                    if taken is None:
                        break
                    message, information = taken
                    polled.on_message(message, self._receipt_ns(information, now_ns))

    def close(self) -> None:
        """Unsubscribe."""
        for polled in self._polled:
            self._node.destroy_subscription(polled.subscription)
        self._polled.clear()

    def _receipt_ns(self, information: Any, now_ns: int) -> int:
        received_ns = 0 if self._sim_time else int(information["received_timestamp"])
        return received_ns if received_ns > 0 else now_ns
