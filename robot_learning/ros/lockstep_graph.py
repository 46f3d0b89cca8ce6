"""A graph of nodes in one process, stepped in a fixed order on simulated time.

PX4's lockstep is the model in the field: nobody goes on before everybody has had their turn, so
that results do not depend on how fast the machine is. Here that takes no waiting: a message that
is published in a process is there at once for the other nodes of that process. Once in each of
the robot's control periods the robot lets its time pass and publishes; the clock of every node is
set to that time; then the others have their turns, sources first, then the arbiter, then whoever
records, and in the end the node that leads (see `ROLES`).

Topics, services, parameters and QoS are those of the same nodes in real time, so that tools from
outside may listen and call.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from rclpy.clock import ClockType, ROSClock
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.time import Time

from robot_learning.bringup.plan import NodeSpec, OnExit, node_arguments
from robot_learning.core.clocks import Clock, ManualClock, seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.ros.common.host import (
    LeadingNode,
    SteppedNode,
    StopRequestedError,
    take_turn,
)
from robot_learning.ros.common.other_graphs import REMEDY, foreign_publisher
from robot_learning.ros.common.polling import (
    NodePoller,
    offered_services,
    take_messages,
    unanswered,
)
from robot_learning.ros.common.stop import Stop

ROLES = (
    *("robot_node", "expert_node", "teleop_node", "policy_node", "arbiter_node"),
    *("recorder_node", "demo_node", "session_node", "dagger_node", "rollout_node"),
)
"""The executables that can be stepped, in the order of their turns."""
ROBOT = ROLES[0]
_CLOCK = "/clock"

# Real time, for what the middleware does in threads of its own.
_MATCHING_S = 20.0
_ANSWER_S = 2.0
_LATCHED_S = 0.2
_MOMENT_S = 0.0005
_STANDSTILL_S = 0.01
# What is gone is still counted for a moment.
_FOREIGN_S = 1.0
_FOREIGN_EVERY_NS = seconds_to_ns(0.1)
"""Simulated time between two looks for other graphs; discovery itself takes longer."""


class LockstepHost:
    """The host of one node of the graph; see `ros.common.host.Host`."""

    is_lockstep = True

    def __init__(self, graph: LockstepGraph, spec: NodeSpec) -> None:
        self.clock: Clock = graph.clock
        self.spec = spec
        self.exit_code: int | None = None
        self._graph = graph

    @property
    def node_options(self) -> Mapping[str, Any]:
        """The node's own arguments, and simulated time."""
        return {
            "context": self._graph.context,
            "cli_args": list(node_arguments(self.spec)),
            "use_global_arguments": False,
            "parameter_overrides": [Parameter("use_sim_time", value=True)],
        }

    @property
    def is_stopping(self) -> bool:
        """Whether the process is to end."""
        return self._graph.stop.is_set

    def finish(self, exit_code: int = 0) -> None:
        """The node's work is done; what that means for the others its spec says."""
        self.exit_code = exit_code

    def allow_end_s(self, duration_s: float) -> None:
        """Let the process take this long to end once a signal has come."""
        self._graph.stop.end_limit_s = max(self._graph.stop.end_limit_s, duration_s)

    def wake(self) -> None:
        """Nothing: the node's turn comes."""

    def spin(self) -> None:
        """One control period for everybody, then the callbacks of the leading node.

        Raises:
            RobotLearningError: a node failed.
            StopRequestedError: the process is to end.
        """
        self._graph.step()
        if self._graph.stop.is_set:
            raise StopRequestedError

    def rest(self) -> None:
        """Serve everybody's callbacks for a moment; nobody has a turn, and no time passes.

        Raises:
            StopRequestedError: the process is to end.
        """
        self._graph.stand_still()
        if self._graph.stop.is_set:
            raise StopRequestedError

    def settle(self) -> None:
        """Until publishers, subscriptions and services of the graph have found each other."""
        self._graph.await_matched()


class _Member:
    """One node of the graph."""

    def __init__(self, host: LockstepHost, node: SteppedNode | LeadingNode) -> None:
        self.host = host
        self.name = host.spec.name
        self.node = node
        self.ros = cast(Node, node)
        self.poller = NodePoller(self.ros, host.clock)
        self.stepped = None if isinstance(node, LeadingNode) else node
        self.is_robot = host.spec.executable == ROBOT

    def turn(self) -> None:
        """Look at what has arrived; and the step, where one is due."""
        if self.stepped is None:
            self.poller.poll()
        else:
            take_turn(self.stepped, self.poller)

    @property
    def entities(self) -> tuple[int, ...]:
        """Changes whenever the node creates or destroys something that others have to find."""
        ros = self.ros
        groups = (ros.publishers, ros.subscriptions, ros.services, ros.clients)
        return tuple(id(one) for group in groups for one in group)


class LockstepGraph:
    """The nodes, their common time, and their turns.

    Attributes:
        clock: simulated time.
        stop: tells when the process is to end.
        context: ROS context in which the nodes are made; None for the process's own.
        stepping_s: real time that the graph's steps have taken so far.
    """

    def __init__(
        self,
        stop: Stop,
        context: Context | None = None,
        after_turns: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin without nodes.

        Args:
            stop: tells when to end.
            context: ROS context in which the nodes are made; None for the process's own.
            after_turns: called whenever everybody has had a turn, before time goes on, and while
                time stands still.
        """
        self.clock = ManualClock()
        self.stop = stop
        self.context = context
        self._after_turns = after_turns
        self.stepping_s = 0.0
        self._members: list[_Member] = []
        self._entities: dict[str, tuple[int, ...]] = {}
        self._offered: frozenset[str] = frozenset()
        self._looked_ns = -_FOREIGN_EVERY_NS

    def host(self, spec: NodeSpec) -> LockstepHost:
        """The host for the node that `spec` describes."""
        return LockstepHost(self, spec)

    def add(self, host: LockstepHost, node: SteppedNode | LeadingNode) -> None:
        """Take a node in; its turn comes after those that were added before."""
        member = _Member(host, node)
        for subscription in list(member.ros.subscriptions):
            if subscription.topic_name == _CLOCK:
                # The graph sets its time itself; receiving it too takes a tenth of a step.
                member.ros.destroy_subscription(subscription)
        self._members.append(member)
        self._set_ros_time()

    def run(self) -> None:
        """Start every node, then let time pass until one finishes the graph or it is to end.

        Raises:
            RobotLearningError: a node failed; the text gives its name and the simulated time.
        """
        for member in self._members:
            if member.stepped is not None:
                with self._named(member):
                    member.stepped.start()
        self.await_matched()
        self.stop.begin()
        leaders = [member for member in self._members if member.stepped is None]
        if leaders:
            (leader,) = leaders
            self._lead(leader)
        while not self.stop.is_set:
            self.step()

    def step(self) -> None:
        """One control period of the robot, and everybody's turn in it.

        Raises:
            RobotLearningError: a node failed, or another graph publishes into this one.
        """
        begin_s, before_ns = time.perf_counter(), self.clock.now_ns()
        self._notice_changes()
        if before_ns - self._looked_ns >= _FOREIGN_EVERY_NS:
            self._looked_ns = before_ns
            self._refuse_foreign()
        for member in self._members:
            with self._named(member):
                member.turn()
            if member.is_robot:
                self.clock.set_ns(cast(Any, member.node).now_ns)
                self._set_ros_time()
        self._await_answers()
        self._after_turns()
        self._take_stock()
        if self.clock.now_ns() == before_ns:
            # The robot is not active: only callbacks are served.
            time.sleep(_STANDSTILL_S)
        else:
            self.stepping_s += time.perf_counter() - begin_s

    def stand_still(self) -> None:
        """Serve everybody's callbacks while no time passes."""
        for member in self._members:
            with self._named(member):
                member.poller.poll()
        self._await_answers()
        self._after_turns()
        time.sleep(_STANDSTILL_S)

    def await_matched(self) -> None:
        """Until all that belongs together within the graph has found each other.

        Raises:
            RobotLearningError: something never does.
        """
        self._entities = {member.name: member.entities for member in self._members}
        for member in self._members:
            member.poller.find_queues()
        nodes = [member.ros for member in self._members]
        self._offered = offered_services(nodes)
        give_up_s = time.monotonic() + _MATCHING_S
        while unmatched := _unmatched(nodes, self._offered):
            if time.monotonic() > give_up_s:
                text = f"the middleware does not connect {unmatched} within {_MATCHING_S:g} s"
                raise RobotLearningError(f"lockstep: {text}")
            time.sleep(_MOMENT_S)

    def close(self) -> None:
        """Release every node, the last first."""
        for member in reversed(self._members):
            member.poller.close()
            member.node.close()
        self._members = []

    def _lead(self, leader: _Member) -> None:
        with self._named(leader):
            try:
                cast(LeadingNode, leader.node).lead()
            except StopRequestedError:
                return
        self._take_stock()

    def _set_ros_time(self) -> None:
        now = Time(nanoseconds=self.clock.now_ns(), clock_type=ClockType.ROS_TIME)
        for member in self._members:
            cast(ROSClock, member.ros.get_clock()).set_ros_time_override(now)

    def _notice_changes(self) -> None:
        """What was created since the last period must be connected before time goes on."""
        known = self._entities
        changed = [m for m in self._members if known.get(m.name) != m.entities]
        if not changed:
            return
        new = [
            (member, subscription)
            for member in changed
            for subscription in member.ros.subscriptions
            if id(subscription) not in known.get(member.name, ())
        ]
        self.await_matched()
        for member, subscription in new:
            with self._named(member):
                self._await_latched(subscription)

    def _refuse_foreign(self) -> None:
        """Messages from elsewhere would be recorded, and acted on, as this graph's own."""
        nodes = [member.ros for member in self._members]
        give_up_s = time.monotonic() + _FOREIGN_S
        while foreign := foreign_publisher(nodes):
            if time.monotonic() > give_up_s:
                raise RobotLearningError(f"lockstep: {foreign}; {REMEDY}")
            time.sleep(_STANDSTILL_S)

    def _await_latched(self, subscription: Subscription) -> None:
        """A late subscriber is sent the last value by a thread of the middleware's own."""
        if subscription.qos_profile.durability is not DurabilityPolicy.TRANSIENT_LOCAL:
            return
        give_up_s = time.monotonic() + _LATCHED_S
        while not take_messages(subscription) and time.monotonic() < give_up_s:
            time.sleep(_MOMENT_S)

    def _await_answers(self) -> None:
        """Requests and answers of this period must not depend on threads of the middleware."""
        nodes = [member.ros for member in self._members]
        give_up_s = 0.0
        while True:
            waiting = unanswered(nodes, self._offered)
            if waiting <= sum(member.poller.answering for member in self._members):
                return
            give_up_s = give_up_s or time.monotonic() + _ANSWER_S
            if time.monotonic() > give_up_s:
                return
            for member in self._members:
                with self._named(member):
                    member.poller.poll_calls()

    def _take_stock(self) -> None:
        """Who has finished, and what that means for the others."""
        for member in [each for each in self._members if each.host.exit_code is not None]:
            code, meaning = member.host.exit_code or 0, member.host.spec.on_exit
            if code == 0 and meaning is OnExit.KEEP:
                self._members.remove(member)
                member.poller.close()
                member.node.close()
            elif meaning is OnExit.FINISH:
                self.stop.set(code)
            else:
                raise RobotLearningError(f"{member.name} ended with exit code {code}")

    @contextmanager
    def _named(self, member: _Member) -> Iterator[None]:
        """Whatever a node raises names it, and when in simulated time that was."""
        try:
            yield
        except (RobotLearningError, StopRequestedError):
            raise
        except Exception as error:
            traceback.print_exc()
            seconds = self.clock.now_ns() * 1e-9
            text = f"{member.name} failed at {seconds:.2f} s of simulated time"
            raise RobotLearningError(f"{text}: {type(error).__name__}: {error}") from error


def _unmatched(nodes: Sequence[Node], offered: frozenset[str]) -> str:
    """The first topic or service whose two ends, both in the graph, are not connected yet."""
    wanted: dict[str, list[QoSProfile]] = {}
    for node in nodes:
        for subscription in node.subscriptions:
            wanted.setdefault(subscription.topic_name, []).append(subscription.qos_profile)
    for node in nodes:
        for publisher in node.publishers:
            topic = publisher.topic_name
            fitting = sum(_fits(publisher.qos_profile, asked) for asked in wanted.get(topic, ()))
            if publisher.get_subscription_count() < fitting:
                return str(topic)
        for client in node.clients:
            name = node.resolve_service_name(client.srv_name)
            if name in offered and not client.service_is_ready():
                return str(name)
    return ""


def _fits(offered: QoSProfile, asked: QoSProfile) -> bool:
    """Whether DDS connects a publisher and a subscription of these profiles."""
    reliable = ReliabilityPolicy.RELIABLE
    latched = DurabilityPolicy.TRANSIENT_LOCAL
    return (asked.reliability is not reliable or offered.reliability is reliable) and (
        asked.durability is not latched or offered.durability is latched
    )
