"""Watching rounds of DAgger, and what must be true of what they record."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import psutil
from std_msgs.msg import String

from robot_learning.core.vocabulary import Source
from robot_learning.ros.common import qos

TIMEOUT_S = 120.0


class Watch:
    """What the nodes tell, and the run beside it."""

    def __init__(self, peer):
        self.peer = peer
        self.recorder, self.dagger, self.arbiter = {}, {}, {}
        listen = peer.node.create_subscription
        listen(String, "arbiter/state", self._on("arbiter"), qos.LATCHED)
        listen(String, "recorder/status", self._on("recorder"), qos.LATCHED)
        listen(String, "dagger/status", self._on("dagger"), qos.LATCHED)

    def _on(self, name):
        return lambda message: setattr(self, name, json.loads(message.data))

    def until(self, running, condition):
        give_up_s = time.monotonic() + TIMEOUT_S
        while not condition():
            assert running.process.poll() is None, running.output
            assert time.monotonic() < give_up_s, (self.dagger, self.recorder, running.output)
            self.peer.executor.spin_once(timeout_sec=0.05)

    def until_asked_to_start(self, running):
        """Until the operator is asked for an episode and every node has been heard."""
        self.until(running, lambda: "the next episode: start it" in running.output)
        self.until(running, lambda: self.recorder and self.dagger and self.arbiter)

    @property
    def mode(self):
        return self.arbiter.get("mode", "")

    def forget(self):
        self.recorder, self.dagger, self.arbiter = {}, {}, {}


class SteppedRounds:
    """Rounds in lockstep within the test; `graph` steps them, and the newest of each is kept.

    Attributes:
        graph: the nodes.
        states: everything that the arbiter has told.
    """

    def __init__(self, graph, capture):
        self.graph, self._capture, self._written = graph, capture, ""
        self.states = graph.listen_json("arbiter/state")
        self._recorder = graph.listen_json("recorder/status")
        self._dagger = graph.listen_json("dagger/status")
        self.keys = graph.node.create_publisher(String, "teleop/event", qos.EVENT)
        self.until, self.ask, self.run = graph.wait, graph.ask, graph.run

    @property
    def recorder(self):
        return self._recorder[-1] if self._recorder else {}

    @property
    def dagger(self):
        return self._dagger[-1] if self._dagger else {}

    @property
    def mode(self):
        return self.states[-1]["mode"] if self.states else ""

    @property
    def output(self):
        """What was logged and printed so far."""
        captured = self._capture.readouterr()
        self._written += captured.out + captured.err
        return self._written

    def press(self, key, reaction):
        """A key of the operator's device, once; what follows from it."""
        self.keys.publish(String(data=key))
        self.until(reaction)


def ended(running):
    """The exit code, and its last line of the rounds."""
    code = running.process.wait(TIMEOUT_S)
    return code, running.output


def kill(what, above=None):
    """SIGKILL for the process below this one, or `above`, with `what` in an argument."""
    below = psutil.Process(above).children(recursive=True)
    (found,) = [process for process in below if any(what in text for text in process.cmdline())]
    os.kill(found.pid, signal.SIGKILL)


def rebuilt_labels(episode):
    """The labels by the rule of `store.labels`: from what happened, row by row, and layers."""
    source = episode.column("control/source")
    columns = [episode.column(f"control/{name}") for name in ("applied", "human", "policy")]
    chosen = np.select([source == Source.HUMAN, source == Source.POLICY], [1, 2], 0)
    labels = np.stack(columns)[chosen, np.arange(len(source))]
    for layer in episode.labels():
        labels[layer.mask] = layer.actions[layer.mask]
    return labels
