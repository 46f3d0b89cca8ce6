"""What runs a node: a process of its own in real time, or a graph of nodes in lockstep.

A node never reads a clock of the machine, sleeps, or waits for others by itself. It is given a
`Host`, which tells the time and lets the rest of the graph go on. So the same node runs in both
worlds: in that of `RealTimeHost` (`ros.common.real_time`), and in that of `LockstepHost`
(`ros.lockstep_graph`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from robot_learning.core.clocks import Clock
from robot_learning.core.pacing import Pacer

POLL_PERIOD_S = 0.05
"""How long what has arrived may wait, where a node's own steps come less often."""


class StopRequestedError(Exception):
    """A leading node was asked to end while it waited."""


class Host(Protocol):
    """What a node may ask of the process that runs it.

    Attributes:
        clock: the steady clock by which the node paces itself and watches the others: the
            machine's in real time, simulated time in lockstep.
        is_lockstep: whether nodes are stepped one after the other. Then nothing may depend on
            how long a computation took: what would run in a thread is done at once.
    """

    clock: Clock
    is_lockstep: bool

    @property
    def node_options(self) -> Mapping[str, Any]:
        """Keyword arguments for the constructor of the rclpy node."""
        ...

    @property
    def is_stopping(self) -> bool:
        """Whether the node is to end."""
        ...

    def finish(self, exit_code: int = 0) -> None:
        """The node's work is done: let it end."""
        ...

    def allow_end_s(self, duration_s: float) -> None:
        """Let the node take this long to end once it is asked to."""
        ...

    def wake(self) -> None:
        """Have `react` called soon; from any thread."""
        ...

    def spin(self) -> None:
        """For a leading node: let the graph go on for a moment, and serve callbacks.

        Raises:
            StopRequestedError: the node is to end.
        """
        ...

    def rest(self) -> None:
        """As `spin`, while another process works: in lockstep simulated time stands still."""
        ...

    def settle(self) -> None:
        """In lockstep: wait until publishers, subscriptions and services have found each other."""
        ...


class SteppedNode(Protocol):
    """A node whose host calls it: `start` once, then `step` whenever `pacer` says it is due."""

    @property
    def pacer(self) -> Pacer | None:
        """When the next step is due; None while there is none to come."""
        ...

    @property
    def poll_period_s(self) -> float:
        """How long a message may wait between two steps."""
        ...

    @property
    def priority(self) -> int | None:
        """Real-time priority that its loop asks for; None for none."""
        ...

    def start(self) -> None:
        """Begin to serve.

        Raises:
            RobotLearningError: the start failed.
        """
        ...

    def react(self) -> None:
        """Do what cannot wait for the next step; called whenever messages were looked at."""
        ...

    def step(self) -> None:
        """Do what is done once in each period."""
        ...

    def close(self) -> None:
        """Release what the node holds: robots, files, threads."""
        ...


class SteppedDefaults:
    """What most nodes that are stepped have in common."""

    priority: int | None = None

    @property
    def poll_period_s(self) -> float:
        """How long a message may wait between two steps."""
        return POLL_PERIOD_S

    def start(self) -> None:
        """Nothing to begin."""

    def react(self) -> None:
        """Nothing that cannot wait."""


@runtime_checkable
class LeadingNode(Protocol):
    """A node that leads others from one thing to the next, and waits for them in between."""

    def lead(self) -> None:
        """Do it, and end with `Host.finish`.

        Raises:
            RobotLearningError: what it needs cannot be had.
        """
        ...

    def close(self) -> None:
        """Release what the node holds."""
        ...


class Poller(Protocol):
    """Serves a node's callbacks (`ros.common.polling.NodePoller`)."""

    def poll(self) -> None:
        """Call back for everything that has arrived."""
        ...


def take_turn(node: SteppedNode, poller: Poller) -> None:
    """Look at what has arrived for a node, and do its step where that is due."""
    poller.poll()
    node.react()
    pacer = node.pacer
    if pacer is not None and pacer.is_due:
        pacer.tick()
        node.step()
