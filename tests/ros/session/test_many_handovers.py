"""A hundred handovers within a minute, over real nodes: every recorded row knows whose it was."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from stepped_graph import node_spec
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.interactive.rounds import episode_figures
from robot_learning.messages.stamps import time_ns
from robot_learning.ros.common import conversions, qos

HANDOVERS, PERIOD_S, SEND_PERIOD_S = 100, 0.12, 0.02
COLUMNS = ("human", "policy", "applied")


class BothHands:
    """A person and a policy who both send all the time, each from a side of its own."""

    def __init__(self, graph):
        self.graph, self.profile = graph, load_profile("desk_arm")
        self.states = {}
        self.heard = {name: {} for name in COLUMNS}
        self.publishers = {
            name: graph.node.create_publisher(JointTrajectory, f"{name}/command", qos.COMMAND)
            for name in ("teleop", "policy")
        }
        graph.listen(String, "arbiter/state", self._on_state)
        for name in COLUMNS:
            graph.listen(JointState, f"arbiter/{name}", partial(self._on_row, name))
        self.clients = {
            name: graph.node.create_client(Trigger, f"arbiter_node/{name}")
            for name in ("take_over", "hand_back")
        }

    @property
    def mode(self):
        return next(reversed(self.states.values()))["mode"] if self.states else ""

    def ask(self, name):
        """Without waiting for the answer, as a key does."""
        self.clients[name].call_async(Trigger.Request())

    def send_for(self, seconds):
        """Both send while that much time passes."""
        for _ in range(round(seconds / SEND_PERIOD_S)):
            self._send()
            self.graph.pass_s(SEND_PERIOD_S)

    def send_until(self, condition):
        while not condition():
            self.send_for(SEND_PERIOD_S)

    def _send(self):
        now_ns = self.graph.now_ns
        wave = 0.1 * np.sin(now_ns / NS_PER_S + np.arange(7))
        for name, side in (("teleop", 0.1), ("policy", -0.1)):
            target = np.clip(
                self.profile.home + side + wave,
                self.profile.position_min,
                self.profile.position_max,
            )
            self.publishers[name].publish(
                conversions.trajectory_message(self.profile.joint_names, target, stamp_ns=now_ns)
            )

    def _on_state(self, message):
        state = json.loads(message.data)
        self.states[state["stamp_ns"]] = state

    def _on_row(self, name, message):
        self.heard[name][time_ns(message.header.stamp)] = np.array(message.position)


def test_no_row_of_a_hundred_handovers_has_the_wrong_label(stepped, tmp_path):
    quick = {"policy_hold_s": 0.6, "tracking_rad": 3.0, "autostart": True}
    recorded = {"dataset": str(tmp_path / "set"), "task": "reach", "cameras": ["none"]}
    graph = stepped(
        [
            node_spec("robot_node", {"cameras": ["none"], "task": "reach"}),
            node_spec("arbiter_node", quick),
            node_spec("recorder_node", {**recorded, "rate_hz": 50.0, "min_free_mib": 1}),
        ]
    )
    hands = BothHands(graph)
    hands.send_until(lambda: hands.mode == "HUMAN")
    assert graph.ask("recorder_node/start").success
    for _ in range(HANDOVERS):
        for request in ("hand_back", "take_over"):
            hands.ask(request)
            hands.send_for(PERIOD_S)
    hands.send_until(lambda: hands.mode == "HUMAN")
    hands.send_for(0.3)
    assert graph.ask("recorder_node/stop").success
    assert verify_dataset(DatasetFolder(tmp_path / "set")) == []
    (summary,) = Dataset(tmp_path / "set").episodes
    check_rows(Dataset(tmp_path / "set").episode(summary.name), hands)


def check_rows(episode, hands):
    """Against what the arbiter said under the stamp that each row names."""
    source, labels = episode.column("control/source"), episode.column("actions")
    stamps = episode.column("streams/decision/stamp_ns").tolist()
    # The human was there in the very first row, and is in the very last.
    assert (source[0], source[-1]) == (Source.HUMAN, Source.HUMAN)
    took_over = episode.column("intervention").astype(bool)
    assert (took_over[0], took_over[-1]) == (False, True)
    driver = {Source.HUMAN: "human", Source.POLICY: "policy", Source.NONE: "applied"}
    checked = 0
    for row, stamp_ns in enumerate(stamps):
        if stamp_ns not in hands.states:
            continue
        assert Source[hands.states[stamp_ns]["source"]] == source[row]
        said = hands.heard[driver[Source(source[row])]].get(stamp_ns)
        if said is not None:
            np.testing.assert_array_equal(labels[row], said)
            checked += 1
    assert checked > 0.8 * episode.rows
    figures = episode_figures(episode)
    assert figures.interventions >= 0.95 * HANDOVERS, "a row is 20 ms: hardly one falls between"
    assert figures.labels == int((source == Source.HUMAN).sum())
