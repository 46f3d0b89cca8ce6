"""A hundred handovers within a minute, over real nodes: every recorded row knows whose it was."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.folder import DatasetFolder
from robot_learning.episodes.recovery import verify_dataset
from robot_learning.episodes.schema import Source
from robot_learning.learning.rounds import episode_figures
from robot_learning.ros import conversions, qos

HANDOVERS, PERIOD_S = 100, 0.12
# A busy machine must not be taken for a dead source.
PATIENT = {"policy_timeout_s": 0.6, "measured_timeout_s": 1.5, "measured_fault_s": 9.0}
PATIENT |= {"human_timeout_s": 0.5, "policy_hold_s": 0.6, "tracking_rad": 3.0, "autostart": True}
COLUMNS = ("human", "policy", "applied")


class BothHands:
    """A person and a policy who both send all the time, each from a side of its own."""

    def __init__(self, peer):
        self.peer, self.profile = peer, load_profile("desk_arm")
        self.states = {}
        self.heard = {name: {} for name in COLUMNS}
        node = peer.node
        self.publishers = {
            name: node.create_publisher(JointTrajectory, f"{name}/command", qos.COMMAND)
            for name in ("teleop", "policy")
        }
        node.create_subscription(String, "arbiter/state", self._on_state, qos.EVENT)
        for name in COLUMNS:
            take = lambda message, name=name: self._on_row(name, message)  # noqa: E731
            node.create_subscription(JointState, f"arbiter/{name}", take, qos.EVENT)
        node.create_timer(0.02, self._send)
        self.clients = {
            name: node.create_client(Trigger, f"arbiter_node/{name}")
            for name in ("take_over", "hand_back")
        }

    @property
    def mode(self):
        return next(reversed(self.states.values()))["mode"] if self.states else ""

    def ask(self, name):
        """Without waiting for the answer, as a key does."""
        self.clients[name].call_async(Trigger.Request())

    def spin(self, seconds):
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0.0:
            self.peer.executor.spin_once(timeout_sec=left_s)

    def _send(self):
        now_ns = int(self.peer.node.get_clock().now().nanoseconds)
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
        self.heard[name][conversions.time_ns(message.header.stamp)] = np.array(message.position)


@pytest.fixture
def hands(peer):
    return BothHands(peer)


def test_no_row_of_a_hundred_handovers_has_the_wrong_label(hands, peer, start_node, tmp_path):
    start_node("robot_node", cameras="[none]", task="reach")
    start_node("arbiter_node", **PATIENT)
    start_node(
        "recorder_node",
        dataset=tmp_path / "set",
        task="reach",
        cameras="[none]",
        rate_hz=50.0,
        age_floor_s=2.0,
        min_free_mib=1,
    )
    peer.spin_until(lambda: hands.mode == "HUMAN")
    peer.spin_until(lambda: peer.call(Trigger, "recorder_node/start").success)
    for _ in range(HANDOVERS):
        for request in ("hand_back", "take_over"):
            hands.ask(request)
            hands.spin(PERIOD_S)
    peer.spin_until(lambda: hands.mode == "HUMAN")
    hands.spin(0.3)
    assert peer.call(Trigger, "recorder_node/stop").success
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
