"""Serves a node's callbacks without an executor: what has arrived is taken, nothing is waited for.

An executor builds a wait set for every message, which at some hundred messages a second costs
twice what everything that is done with them does. To ask a queue of the middleware that is empty
costs a microsecond. So a loop that wakes for its own steps anyway looks at all of the node's
queues then.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.client import Client
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

from robot_learning.core.clocks import Clock, seconds_to_ns
from robot_learning.ros.common.serialized import reader_of

CALLS_PERIOD_S = 0.02
"""How long a request may wait. Services are many and asked seldom."""
COMMON_CALLS_EVERY = 5
"""Of these times, how seldom the services that rclpy gives every node are looked at."""
_MOST_AT_ONCE = 256
_CALLS_PERIOD_NS = seconds_to_ns(CALLS_PERIOD_S)
_COMMON = ("rcl_interfaces.", "type_description_interfaces.")
_ANSWERS_KEPT = 11
"""As many as a client's queue in the middleware holds, and one more."""


@dataclass(frozen=True, slots=True)
class _Answering:
    """A request whose answer is not there yet."""

    service: Service
    header: Any
    answer: Coroutine[Any, Any, Any]


class OwnQueues(MutuallyExclusiveCallbackGroup):  # type: ignore[misc]
    """The group of subscriptions whose messages the node takes itself, when it wants them."""


class NodePoller:
    """Takes messages, requests and answers of one node, and calls back for them.

    Subscriptions of the group `OwnQueues` are left alone.

    A service whose callback is a coroutine answers once that has come to its end; it goes on with
    each poll.
    """

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node, self._clock = node, clock
        self._answering: list[_Answering] = []
        self._polled_ns = self._called_ns = -1
        self._calls = 0
        self._subscriptions: list[Subscription] = []
        self._queues: list[Queue] = []
        self.find_queues()

    @property
    def answering(self) -> int:
        """How many requests are taken and not answered yet."""
        return len(self._answering)

    def close(self) -> None:
        """Let go of the node's queues, which must not be kept longer than ROS is there."""
        self._subscriptions, self._queues = [], []

    def poll(self) -> None:
        """Call back for what has arrived: messages first, in the order of creation.

        Requests are looked for once within `CALLS_PERIOD_S`, and so are subscriptions that are
        new; always, where time stands still.
        """
        for queue in self._queues:
            queue.take()
        now_ns, before_ns = self._clock.now_ns(), self._polled_ns
        self._polled_ns = now_ns
        if now_ns == before_ns or abs(now_ns - self._called_ns) >= _CALLS_PERIOD_NS:
            self._called_ns = now_ns
            self.find_queues()
            self._calls += 1
            stands = now_ns == before_ns
            self.poll_calls(common=stands or self._calls % COMMON_CALLS_EVERY == 0)
        else:
            self._take_up()

    def poll_calls(self, common: bool = True) -> None:
        """Call back for requests and answers that have arrived.

        Without `common`, those to the services that every node has, for its parameters, wait on.
        """
        for service in list(self._node.services):
            if common or not service.srv_type.__module__.startswith(_COMMON):
                self._take_requests(service)
        self._take_up()

    def find_queues(self) -> None:
        """Notice subscriptions that are new, and those that are gone, now."""
        found = [
            one for one in self._node.subscriptions if not isinstance(one.callback_group, OwnQueues)
        ]
        if found != self._subscriptions:
            self._subscriptions, self._queues = found, [Queue(one) for one in found]

    def _take_up(self) -> None:
        """Go on with what is being answered, and with what was answered."""
        if self._answering:
            self._answering = [one for one in self._answering if not _go_on(one)]
        for client in list(self._node.clients):
            if client._pending_requests:
                _take_answers(client)

    def _take_requests(self, service: Service) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                with service.handle:
                    taken = service.handle.service_take_request(service.srv_type.Request)
            except InvalidHandle:
                return  # destroyed by a callback before
            request, header = taken or (None, None)
            if request is None:
                return
            answer = service.callback(request, service.srv_type.Response())
            if inspect.iscoroutine(answer):
                self._answering.append(_Answering(service, header, answer))
            else:
                service.send_response(answer, header)


def offered_services(nodes: Iterable[Node]) -> frozenset[str]:
    """The full names of what these nodes offer; their own names for it are relative."""
    return frozenset(
        node.resolve_service_name(service.srv_name) for node in nodes for service in node.services
    )


def unanswered(nodes: Iterable[Node], offered: frozenset[str]) -> int:
    """How many requests of these nodes to services among `offered` have no answer yet."""
    return sum(
        len(client._pending_requests)
        for node in nodes
        for client in node.clients
        if client._pending_requests and node.resolve_service_name(client.srv_name) in offered
    )


class Queue:
    """What waits in one subscription's queue; what it takes to ask is looked up only once."""

    __slots__ = ("_callback", "_handle", "_kind", "_most", "_raw", "_read", "_told")

    def __init__(self, subscription: Subscription) -> None:
        self._handle, self._kind = subscription.handle, subscription.msg_type
        self._callback = subscription.callback
        self._read = None if subscription.raw else reader_of(subscription.msg_type)
        self._raw = subscription.raw or self._read is not None
        self._told = subscription._callback_type is Subscription.CallbackType.WithMessageInfo
        # A queue for one message is empty once that is taken.
        self._most = min(subscription.qos_profile.depth or _MOST_AT_ONCE, _MOST_AT_ONCE)

    def take(self) -> int:
        """Call back for every message that waits; how many there were."""
        handle, kind, raw = self._handle, self._kind, self._raw
        try:
            with handle:
                taken = handle.take_message(kind, raw)
                if taken is None:
                    return 0
                messages = [taken]
                while len(messages) < self._most:
                    taken = handle.take_message(kind, raw)
                    if taken is None:
                        break
                    messages.append(taken)
        except InvalidHandle:
            return 0  # destroyed by a callback before
        if read := self._read:
            messages = [(read(message), information) for message, information in messages]
        for message, information in messages:
            if self._told:
                self._callback(message, information)
            else:
                self._callback(message)
        return len(messages)


def take_messages(subscription: Subscription) -> int:
    """Call back for every message that waits in one subscription's queue; how many there were."""
    return Queue(subscription).take()


def _take_answers(client: Client) -> None:
    # An answer to another client of the same service lies in this one's queue too, and is taken
    # as nothing: an empty hand does not tell that the queue is empty.
    for _ in range(_ANSWERS_KEPT):
        if not client._pending_requests:
            return
        try:
            with client.handle:
                taken = client.handle.take_response(client.srv_type.Response)
        except InvalidHandle:
            return  # destroyed by a callback before
        header, response = taken or (None, None)
        if header is None:
            continue
        try:
            future = client.get_pending_request(header.request_id.sequence_number)
        except KeyError:
            continue  # nobody waits for this answer any more
        future.set_result(response)


def _go_on(one: _Answering) -> bool:
    """Let a callback go on; whether it has answered."""
    try:
        one.answer.send(None)
    except StopIteration as ended:
        one.service.send_response(ended.value, one.header)
        return True
    return False
