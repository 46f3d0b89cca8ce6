"""One arm's topics around a runner, where stamps lie in the future of a clock that began anew."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from steering_policy import steering_spec

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.real_time import RealTimeHost
from robot_learning.ros.common.stop import Stop
from robot_learning.ros.policy.arm import PolicyArm
from robot_learning.serving.chunk_planner import planner_settings
from robot_learning.serving.compatibility import Sources
from robot_learning.serving.inference_worker import InferenceResult
from robot_learning.serving.policy_runner import RunnerSettings

PROFILE = load_profile("desk_arm")
KEY = "obs/joint_position"
SPEC = steering_spec(PROFILE.joint_names, action_steps=4, executed_steps=2)
SERVED = SimpleNamespace(
    client=SimpleNamespace(spec=SPEC),
    runner=RunnerSettings(planner_settings(SPEC), {KEY: 2.0}),
    sources=Sources({KEY: "joint_position"}, {}, {}),
    details=CheckpointDetails(task="lift"),
)


class Served:
    """An arm, what it asks for, and the robot and arbiter that it hears."""

    def __init__(self, peer):
        self.peer, self.requests = peer, []
        ways = {"submit": self.requests.append, "host": RealTimeHost(Stop())}
        self.arm = PolicyArm(
            peer.node, 0, "", PROFILE, SERVED, heartbeat_s=1.0, horizon_s=1.0, **ways
        )
        publisher = peer.node.create_publisher
        self._joints = publisher(JointState, "joint_states", qos.STREAM_OUT)
        self._state = publisher(String, "arbiter/state", qos.LATCHED)

    def now_ns(self):
        return self.peer.node.get_clock().now().nanoseconds

    def feed(self, ahead_ns=0):
        message = JointState(name=list(PROFILE.joint_names), position=PROFILE.home.tolist())
        message.header.stamp = conversions.time_message(self.now_ns() + ahead_ns)
        self._joints.publish(message)

    def reset(self, epoch, stamp_ns):
        """The arbiter's word that what was proposed before does not count any more."""
        state = ArbiterStateMessage(
            stamp_ns=stamp_ns, mode=Mode.HOLD, source=Source.NONE, policy_epoch=epoch
        )
        self._state.publish(String(data=state.to_json()))

    def asks(self):
        self.requests.clear()
        self.peer.spin_until(lambda: self.feed() or self.requests)
        answer = InferenceResult(self.requests[0], np.zeros((4, 7)), "", 0, 1)
        self.arm.runner.take(answer, self.arm.now())


@pytest.fixture
def served(peer):
    one = Served(peer)
    yield one
    one.arm.close()


def test_a_reset_from_before_the_clock_began_anew_does_not_last_until_time_is_back(served):
    runner = served.arm.runner
    served.reset(1, served.now_ns())
    served.asks()
    served.peer.spin_until(lambda: served.arm.mode is not None)
    before = runner.epoch
    served.reset(2, served.now_ns() + 60 * NS_PER_S)
    served.peer.spin_until(lambda: runner.epoch > before)
    served.asks()


def test_a_policy_that_is_to_take_over_takes_no_observation_of_the_future(served):
    served.arm.prepare(SERVED)
    counts = served.arm.runner.counts
    served.peer.spin_until(lambda: served.feed(60 * NS_PER_S) or counts.from_future > 3)
    assert served.arm.not_ready == "nothing received yet of this moment"
    served.peer.spin_until(lambda: served.feed() or not served.arm.not_ready)
    served.arm.adopt()
    served.asks()
    assert served.arm.runner.history.refused[f"{KEY}/from_future"] > 0
