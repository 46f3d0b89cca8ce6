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

from rclpy.client import Client
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

_MOST_AT_ONCE = 256
_ANSWERS_KEPT = 11
"""As many as a client's queue in the middleware holds, and one more."""


@dataclass(frozen=True, slots=True)
class _Answering:
    """A request whose answer is not there yet."""

    service: Service
    header: Any
    answer: Coroutine[Any, Any, Any]


class NodePoller:
    """Takes messages, requests and answers of one node, and calls back for them.

    A service whose callback is a coroutine answers once that has come to its end; it goes on with
    each poll.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._answering: list[_Answering] = []

    @property
    def answering(self) -> int:
        """How many requests are taken and not answered yet."""
        return len(self._answering)

    def poll(self) -> None:
        """Call back for everything that has arrived: messages first, in the order of creation."""
        for subscription in list(self._node.subscriptions):
            take_messages(subscription)
        self.poll_calls()

    def poll_calls(self) -> None:
        """The same for requests and answers alone."""
        for service in list(self._node.services):
            self._take_requests(service)
        self._answering = [one for one in self._answering if not _go_on(one)]
        for client in list(self._node.clients):
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


def take_messages(subscription: Subscription) -> int:
    """Call back for every message that waits in one subscription's queue; how many there were."""
    handle, kind = subscription.handle, subscription.msg_type
    messages: list[Any] = []
    try:
        with handle:
            while len(messages) < _MOST_AT_ONCE:
                taken = handle.take_message(kind, subscription.raw)
                if taken is None:
                    break
                messages.append(taken)
    except InvalidHandle:
        return 0  # destroyed by a callback before
    told = subscription._callback_type is Subscription.CallbackType.WithMessageInfo
    for message, information in messages:
        if told:
            subscription.callback(message, information)
        else:
            subscription.callback(message)
    return len(messages)


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
