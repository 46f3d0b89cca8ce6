"""Runs one node in real time: one loop that paces, receives and calls the node's steps."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from rclpy.node import Node

from robot_learning.core.clocks import Clock, SteadyClock
from robot_learning.core.precedence import Precedence
from robot_learning.ros.common.host import LeadingNode, SteppedNode, StopRequestedError, take_turn
from robot_learning.ros.common.pace_diagnostics import PaceOutput
from robot_learning.ros.common.polling import NodePoller
from robot_learning.ros.common.stop import Stop

LEADING_PERIOD_S = 0.01
"""How often a leading node looks at what has arrived."""
RESTING_PERIOD_S = 0.05
"""The same while another process works."""


class RealTimeHost:
    """The host of a node that has its process for itself; see `ros.common.host.Host`."""

    is_lockstep = False

    def __init__(self, stop: Stop) -> None:
        self.clock: Clock = SteadyClock()
        self._stop = stop
        # Released by the thread that wakes the loop: far cheaper to wait for than an Event.
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self._poller: NodePoller | None = None

    @property
    def node_options(self) -> Mapping[str, Any]:
        """None: the process's own arguments are the node's."""
        return {}

    @property
    def is_stopping(self) -> bool:
        """Whether the process is to end."""
        return self._stop.is_set

    def finish(self, exit_code: int = 0) -> None:
        """End the process with this exit code."""
        self._stop.set(exit_code)

    def allow_end_s(self, duration_s: float) -> None:
        """Let the process take this long to end once a signal has come."""
        self._stop.end_limit_s = duration_s

    def wake(self) -> None:
        """End the loop's present wait; from any thread."""
        with suppress(RuntimeError):  # it has been woken already
            self._asleep.release()

    def attach(self, node: Node) -> NodePoller:
        """From now on `spin` serves this node's callbacks."""
        self._poller = NodePoller(node, self.clock)
        return self._poller

    def serve(self, node: SteppedNode | LeadingNode) -> None:
        """Run the node until it has finished or the process is to end.

        Raises:
            RobotLearningError: its start failed, or it cannot go on.
        """
        poller = self.attach(cast(Node, node))
        try:
            if isinstance(node, LeadingNode):
                self._stop.begin()
                node.lead()
            else:
                self._serve_steps(node, poller)
        except StopRequestedError:
            return
        finally:
            poller.close()

    def spin(self) -> None:
        """Wait for a moment, and serve callbacks.

        Raises:
            StopRequestedError: the process is to end.
        """
        self._serve_for(LEADING_PERIOD_S)

    def rest(self) -> None:
        """As `spin`, less often: in real time nothing stands still.

        Raises:
            StopRequestedError: the process is to end.
        """
        self._serve_for(RESTING_PERIOD_S)

    def _serve_for(self, duration_s: float) -> None:
        self._pause(duration_s)
        if self._poller is not None:
            self._poller.poll()
        if self._stop.is_set:
            raise StopRequestedError

    def settle(self) -> None:
        """Nothing: in real time nodes find each other while time passes."""

    def _serve_steps(self, node: SteppedNode, poller: NodePoller) -> None:
        node.start()
        self._stop.begin()
        log = cast(Node, node).get_logger()
        pace, precedence = PaceOutput(cast(Node, node), self.clock), Precedence()
        if node.priority is not None and not precedence.take(node.priority):
            log.info("no real-time scheduling (the user's limit rtprio is 0)")
        while not self._stop.is_set:
            take_turn(node, poller)
            pacer, timeout_s = node.pacer, node.poll_period_s
            pace.update(pacer)
            if reason := precedence.review():
                log.warning(f"gives up real-time scheduling, so that others get a core: {reason}")
            self._pause(timeout_s if pacer is None else min(pacer.remaining_s(), timeout_s))
        precedence.give_up()

    def _pause(self, duration_s: float) -> None:
        """Until the time is over, or somebody wakes the loop."""
        self._asleep.acquire(timeout=max(0.0, duration_s))
