"""Calls whose answers get lost: a server drops them that has not discovered the client yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.service import Service
from std_srvs.srv import Trigger

from robot_learning.core.errors import RobotLearningError
from robot_learning.ros.common.real_time import RealTimeHost
from robot_learning.ros.common.service_calls import ServiceCalls
from robot_learning.ros.common.stop import Stop


@pytest.fixture
def calls(peer: Any) -> Iterator[ServiceCalls]:
    """Of a node that also answers: the servers below are its own."""
    host = RealTimeHost(Stop())
    host.attach(peer.node)
    yield ServiceCalls(peer.node, host)


def answers_lost(service: Service, count: int) -> None:
    """The first `count` answers of a service never arrive."""
    send, left = service.send_response, count

    def send_later(response: Any, header: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            send(response, header)

    service.send_response = send_later


@pytest.fixture
def trigger(peer: Any) -> Callable[[int], list[int]]:
    """Offers a service whose first answers are lost; the list returned numbers the requests."""

    def offer(lost: int) -> list[int]:
        heard: list[int] = []

        def on_request(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            heard.append(len(heard) + 1)
            response.success, response.message = True, f"request {heard[-1]}"
            return response

        answers_lost(peer.node.create_service(Trigger, "it/do", on_request), lost)
        return heard

    return offer


def test_a_request_without_an_answer_is_sent_again(calls, trigger):
    heard = trigger(2)
    assert calls.trigger("it/do", 1.2) == (True, "request 3")
    assert heard == [1, 2, 3]


def test_an_answered_request_is_sent_once(calls, trigger):
    heard = trigger(0)
    assert calls.trigger("it/do", 1.2) == (True, "request 1")
    calls.pause(0.5)
    assert heard == [1]


def test_what_must_not_happen_twice_is_asked_once(calls, trigger):
    heard = trigger(1)
    with pytest.raises(RobotLearningError, match="it/do does not answer"):
        calls.trigger("it/do", 0.6, repeatable=False)
    assert heard == [1]


def test_a_transition_has_been_made_although_its_answer_was_lost(calls, peer):
    state = State(id=State.PRIMARY_STATE_UNCONFIGURED)

    def change(request: ChangeState.Request, response: ChangeState.Response) -> Any:
        # A configured node refuses to be configured.
        response.success = state.id == State.PRIMARY_STATE_UNCONFIGURED
        state.id = State.PRIMARY_STATE_INACTIVE
        return response

    def tell(_: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state = state
        return response

    answers_lost(peer.node.create_service(ChangeState, "it/change_state", change), 1)
    peer.node.create_service(GetState, "it/get_state", tell)
    assert calls.transition("it", Transition.TRANSITION_CONFIGURE, 1.2)
    assert not calls.transition("it", Transition.TRANSITION_ACTIVATE, 1.2)
