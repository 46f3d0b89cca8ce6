"""The graph of a launch plan, stepped in lockstep within the test process, and a test in its midst.

The graph and the test take turns: nodes are stepped while the test waits for something, and stand
still between two of its lines. So a test reads as one of processes does, sees every message, and
goes the same way on every machine. Timeouts are in simulated time.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.plan import NodeSpec
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import RobotLearningError
from robot_learning.ros.common.host import SteppedDefaults
from robot_learning.ros.common.node_base import EXIT_ERROR
from robot_learning.ros.common.polling import NodePoller
from robot_learning.ros.common.stop import Stop
from robot_learning.ros.lockstep import serve_graph
from robot_learning.ros.lockstep_graph import LockstepGraph, LockstepHost

TIMEOUT_S = 120.0
"""Of simulated time, and as much of real time while that stands still."""
_EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
_EVERY_AND_THE_LAST = QoSProfile(
    depth=1000,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def hosted(group: str, **arguments: object) -> tuple[NodeSpec, ...]:
    """The nodes of a group's plan in lockstep, given its launch arguments."""
    given = {name: str(value) for name, value in arguments.items()}
    (process,) = GROUPS[group].resolve({"lockstep": "true", **given}).nodes
    return process.hosted


def node_spec(executable: str, parameters: Mapping[str, Any]) -> NodeSpec:
    """One node with these parameters, named as its executable."""
    return NodeSpec(executable, executable, parameters=(parameters,))


def with_parameters(
    specs: Sequence[NodeSpec], name: str, parameters: Mapping[str, Any]
) -> tuple[NodeSpec, ...]:
    """The same nodes, with other parameters of one of them."""
    return tuple(
        replace(spec, parameters=(*spec.parameters, parameters)) if spec.name == name else spec
        for spec in specs
    )


class Listener(SteppedDefaults, Node):  # type: ignore[misc]
    """A member of the graph that does nothing by itself."""

    pacer = None

    def __init__(self, host: LockstepHost) -> None:
        super().__init__("listener", **host.node_options)
        self._steady = host.clock

    def step(self) -> None:
        """Never due."""

    def close(self) -> None:
        """Hear what the others said last; they have been closed before."""
        NodePoller(self, self._steady).poll()
        self.destroy_node()


class SteppedGraph:
    """Nodes that are stepped while the test waits.

    It begins with the first thing that the test waits for; what is listened to before that is
    heard from the first message on.

    Attributes:
        node: of the test's own, a member of the graph.
        code: the exit code that the process of such a graph would have had; None while it runs.
        error: the line that it would have ended with; empty where there is none.
    """

    def __init__(self, specs: Sequence[NodeSpec], domain: int) -> None:
        self.code: int | None = None
        self.error = ""
        self._specs = specs
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._stop = Stop()
        self._graph = LockstepGraph(self._stop, self._context, self._after_turns)
        host = self._graph.host(NodeSpec("listener", "listener"))
        self.node = Listener(host)
        self._graph.add(host, self.node)
        self._poller = NodePoller(self.node, self._graph.clock)
        self._thread = threading.Thread(target=self._run, name="stepped graph", daemon=True)
        self._condition: Callable[[], Any] = lambda: False
        self._result: Any = None
        self._raised: BaseException | None = None
        self._graphs_turn = threading.Semaphore(0)
        self._tests_turn = threading.Semaphore(0)
        self._clients: dict[str, Any] = {}
        self.newest: dict[str, Mapping[str, Any]] = {}

    @property
    def now_s(self) -> float:
        """Simulated time."""
        return self.now_ns / NS_PER_S

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self._graph.clock.now_ns()

    def listen(
        self,
        kind: type,
        topic: str,
        take: Callable[[Any], None] | None = None,
        latched: bool = False,
    ) -> list[Any]:
        """Hear every message; the list returned grows with each, or with what `take` makes of it.

        Args:
            kind: of message.
            topic: its topic.
            take: what is kept of a message; the message itself by default.
            latched: whether what was said before counts, where its publishers latch.
        """
        heard: list[Any] = []
        make = take or (lambda message: message)
        profile = _EVERY_AND_THE_LAST if latched else _EVERY
        self.node.create_subscription(kind, topic, lambda m: heard.append(make(m)), profile)
        return heard

    def listen_json(self, topic: str) -> list[Any]:
        """Hear every document of a latched topic."""
        return self.listen(String, topic, lambda m: json.loads(m.data), latched=True)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Step the nodes until the condition holds, and return what it gave."""
        if result := condition():
            return result
        begun_s, real_s = self.now_s, time.monotonic()
        stood: list[float] = []

        def over() -> Any:
            # Real time counts only while simulated time stands still.
            if stood and stood[-1] == self.now_s:
                given_up = time.monotonic() - real_s > TIMEOUT_S
            else:
                given_up = self.now_s - begun_s > TIMEOUT_S
            stood[:] = [self.now_s]
            if given_up:
                raise AssertionError(f"never so by {self.now_s:.2f} s of simulated time")
            return condition()

        return self._go_on(over)

    def turns(self, count: int = 1) -> None:
        """Let everybody have so many turns."""
        left = iter(range(count - 1, -1, -1))
        self._go_on(lambda: next(left) == 0)

    def pass_s(self, duration_s: float) -> None:
        """Let so much simulated time pass."""
        end_s = self.now_s + duration_s
        self._go_on(lambda: self.now_s >= end_s)

    def call(self, kind: type, name: str, request: Any = None) -> Any:
        """Call a service and wait for its answer."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
            self.turns()
        self.wait(self._clients[name].service_is_ready)
        future = self._clients[name].call_async(request or kind.Request())
        self._go_on(future.done)
        return future.result()

    def ask(self, name: str) -> Any:
        """Call a service of the kind Trigger."""
        return self.call(Trigger, name)

    def publisher(self, kind: type, topic: str, profile: QoSProfile) -> Any:
        """A publisher of the test's own, connected already."""
        made = self.node.create_publisher(kind, topic, profile)
        self.turns()
        return made

    def run(self) -> int:
        """Let it go on to its end; the exit code."""
        if self.code is None:
            self._go_on(lambda: False, to_the_end=True)
        assert self.code is not None
        return self.code

    def end(self) -> None:
        """End it as Ctrl-C does."""
        self._stop.set()
        if self._thread.ident is None:
            self._graph.close()
            rclpy.shutdown(context=self._context)
        elif self.code is None:
            self._condition = lambda: False
            self._graphs_turn.release()
        if self._thread.ident is not None:
            self._thread.join()

    def _go_on(self, condition: Callable[[], Any], to_the_end: bool = False) -> Any:
        """Hand over to the graph until it hands back."""
        assert self.code is None, f"the graph has ended: {self.code} {self.error}"
        self._condition, self._result, self._raised = condition, None, None
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._graphs_turn.release()
        self._tests_turn.acquire()
        if self._raised is not None:
            raise self._raised
        if self.code is not None and not self._result and not to_the_end:
            raise AssertionError(f"the graph ended with exit code {self.code}: {self.error}")
        return self._result

    def _after_turns(self) -> None:
        """In the graph's thread: whether it is the test's turn."""
        self._poller.poll()
        try:
            self._result = self._condition()
        except BaseException as problem:
            self._raised = problem
        if self._result or self._raised:
            self._tests_turn.release()
            self._graphs_turn.acquire()

    def _run(self) -> None:
        code = 0
        try:
            serve_graph(self._specs, self._graph)
            code = self._stop.exit_code
        except RobotLearningError as error:
            code, self.error = EXIT_ERROR, str(error)
        except BaseException as problem:
            code, self._raised = EXIT_ERROR, problem
        finally:
            rclpy.shutdown(context=self._context)
            # A process that ends needs no collection; this one goes on, and what an error left
            # behind would still be in the domain.
            gc.unfreeze()
            if code:
                gc.collect()
            try:
                # What was waited for may have come with the end.
                self._result = self._raised is None and self._condition()
            except Exception:
                self._result = None
            self.code = code
            self._tests_turn.release()


@contextmanager
def stepped_graph(specs: Sequence[NodeSpec], domain: int) -> Iterator[SteppedGraph]:
    """A graph that is ended with the block."""
    graph = SteppedGraph(specs, domain)
    try:
        yield graph
    finally:
        graph.end()
