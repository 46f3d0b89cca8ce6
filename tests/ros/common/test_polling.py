"""Callbacks without an executor: what has arrived is taken, and nothing is waited for."""

from __future__ import annotations

import pytest
import rclpy
from rclpy.context import Context
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_learning.core.clocks import NS_PER_S, ManualClock
from robot_learning.ros.common import qos
from robot_learning.ros.common.polling import (
    CALLS_PERIOD_S,
    NodePoller,
    OwnQueues,
    offered_services,
    take_messages,
    unanswered,
)


class Polled:
    """Two nodes of one process and their pollers."""

    def __init__(self, domain):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.nodes = [rclpy.create_node(name, context=self.context) for name in ("one", "other")]
        # Where time stands still, everything is looked at each time.
        self.clock = ManualClock(NS_PER_S)
        self.pollers = [NodePoller(node, self.clock) for node in self.nodes]

    def until(self, condition):
        """Polls both until it holds; the middleware has threads of its own."""
        for _ in range(100_000):
            if condition():
                return
            for poller in self.pollers:
                poller.poll()
        raise AssertionError("never so")

    def publisher(self, topic, count=1):
        made = self.nodes[1].create_publisher(String, topic, qos.EVENT)
        self.until(lambda: made.get_subscription_count() == count)
        return made

    def client(self, node, kind, name):
        made = self.nodes[node].create_client(kind, name)
        self.until(made.service_is_ready)
        return made

    def close(self):
        for node in self.nodes:
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def polled(_own_graph, worker_domain):
    one = Polled(worker_domain)
    yield one
    one.close()


def answered(request, response):
    response.success, response.message = True, "done"
    return response


def test_messages_come_in_order_and_with_what_is_known_of_them_where_that_is_asked_for(polled):
    plain, told = [], []
    listen = polled.nodes[0].create_subscription
    listen(String, "words", lambda message: plain.append(message.data), qos.EVENT)

    def with_information(message, information):
        told.append((message.data, information["source_timestamp"]))

    listen(String, "words", with_information, qos.EVENT)
    publisher = polled.publisher("words", 2)
    assert (plain, told) == ([], []), "nothing is made up"
    for word in ("a", "b", "c"):
        publisher.publish(String(data=word))
    polled.until(lambda: len(plain) == len(told) == 3)
    assert plain == [word for word, _ in told] == ["a", "b", "c"]
    stamps = [stamp for _, stamp in told]
    assert stamps == sorted(stamps)
    assert stamps[0] > 0


def test_how_many_messages_were_taken_is_told(polled):
    heard = []
    subscription = polled.nodes[0].create_subscription(String, "words", heard.append, qos.EVENT)
    publisher = polled.publisher("words")
    assert take_messages(subscription) == 0
    for word in ("a", "b"):
        publisher.publish(String(data=word))
    taken = 0
    while taken < 2:
        taken += take_messages(subscription)
    assert taken == len(heard) == 2


def test_a_service_answers_at_once_and_one_that_is_a_coroutine_when_it_has_come_to_its_end(polled):
    gate = Future()

    async def slow(request, response):
        response.message = await gate
        response.success = request.data
        return response

    polled.nodes[0].create_service(Trigger, "quick", answered)
    # Named in two ways.
    polled.nodes[0].create_service(SetBool, "~/slow", slow)
    offered = offered_services(polled.nodes)
    assert {"/one/slow", "/quick"} < offered
    quick, waits = polled.client(1, Trigger, "quick"), polled.client(1, SetBool, "one/slow")
    first = waits.call_async(SetBool.Request(data=True))
    polled.until(lambda: polled.pollers[0].answering == 1)
    # Meanwhile the others are served.
    second = quick.call_async(Trigger.Request())
    polled.until(second.done)
    assert second.result().message == "done"
    assert not first.done()
    assert unanswered(polled.nodes, offered) == 1
    assert unanswered(polled.nodes, frozenset({"/quick"})) == 0
    gate.set_result("at last")
    polled.until(first.done)
    assert (first.result().success, first.result().message) == (True, "at last")
    assert polled.pollers[0].answering == 0
    assert unanswered(polled.nodes, offered) == 0


def test_clients_of_one_service_get_each_their_own_answer(polled):
    def echo(request, response):
        response.message = str(request.data)
        return response

    polled.nodes[0].create_service(SetBool, "echo", echo)
    clients = [polled.client(node, SetBool, "echo") for node in (0, 1, 1)]
    # Many more than a queue of the middleware holds, one after the other by one of them: the
    # answers lie in the queues of the others, too, and must not hide theirs.
    for _ in range(15):
        future = clients[0].call_async(SetBool.Request(data=False))
        polled.until(future.done)
        assert future.result().message == "False"
    futures = [client.call_async(SetBool.Request(data=True)) for client in clients[1:]]
    polled.until(lambda: all(future.done() for future in futures))
    assert [future.result().message for future in futures] == ["True", "True"]


def test_an_answer_that_nobody_waits_for_any_more_is_dropped(polled):
    polled.nodes[0].create_service(Trigger, "quick", answered)
    client = polled.client(1, Trigger, "quick")
    forgotten = client.call_async(Trigger.Request())
    client.remove_pending_request(forgotten)
    future = client.call_async(Trigger.Request())
    polled.until(future.done)
    assert not forgotten.done()


def test_what_a_callback_destroys_is_not_asked_any_more(polled):
    node, heard = polled.nodes[0], []

    def on_word(message):
        heard.append(message.data)
        while one := list(node.subscriptions)[1:]:
            node.destroy_subscription(one[0])
        for service in [s for s in node.services if s.srv_name == "/quick"]:
            node.destroy_service(service)

    node.create_subscription(String, "words", on_word, qos.EVENT)
    for _ in range(2):
        node.create_subscription(String, "words", lambda m: heard.append("late"), qos.EVENT)
    node.create_service(Trigger, "quick", answered)
    client = polled.client(1, Trigger, "quick")
    publisher = polled.publisher("words", len(list(node.subscriptions)))
    future = client.call_async(Trigger.Request())
    publisher.publish(String(data="a"))
    polled.until(lambda: "a" in heard)
    publisher.publish(String(data="b"))
    polled.until(lambda: "b" in heard)
    assert heard == ["a", "b"]
    assert len(list(node.subscriptions)) == 1
    client.remove_pending_request(future)


def test_what_is_created_later_is_served_too(polled):
    heard = []
    polled.pollers[0].poll()
    polled.nodes[0].create_subscription(String, "words", heard.append, qos.EVENT)
    publisher = polled.publisher("words")
    publisher.publish(String(data="a"))
    polled.until(lambda: heard)


def test_what_a_callback_raises_comes_out(polled):
    def broken(message):
        raise ZeroDivisionError(message.data)

    polled.nodes[0].create_subscription(String, "words", broken, qos.EVENT)
    publisher = polled.publisher("words")
    publisher.publish(String(data="a"))
    with pytest.raises(ZeroDivisionError, match="a"):
        polled.until(lambda: False)


def test_requests_are_looked_for_less_often_than_messages(polled):
    asked, heard = [], []

    def note(request, response):
        asked.append(polled.clock.now_ns())
        return response

    node, poller = polled.nodes[0], polled.pollers[0]
    node.create_service(Trigger, "quick", note)
    node.create_subscription(String, "words", heard.append, qos.EVENT)
    client, publisher = polled.client(1, Trigger, "quick"), polled.publisher("words")
    begun_ns = polled.clock.now_ns()
    for _ in range(2):
        poller.poll()
    for _ in range(10):
        client.call_async(Trigger.Request())
        publisher.publish(String(data="a"))
        polled.clock.advance_ns(5_000_000)
        before = len(heard)
        poller.poll()
        assert len(heard) == before + 1
    waited_ns = [at_ns - begun_ns for at_ns in asked]
    assert set(waited_ns) <= {20_000_000, 40_000_000}
    assert CALLS_PERIOD_S == 0.02


def test_what_a_node_takes_itself_is_left_to_it(polled):
    own, heard = [], []
    listen = polled.nodes[0].create_subscription
    kept = listen(String, "words", own.append, qos.EVENT, callback_group=OwnQueues())
    listen(String, "words", heard.append, qos.EVENT)
    polled.publisher("words", 2).publish(String(data="a"))
    polled.until(lambda: heard)
    assert own == []
    while not own:
        take_messages(kept)
