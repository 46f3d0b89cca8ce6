"""A served policy that drives in simulation: episode after episode, counted."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from steering_policy import save_increments
from stepped_graph import hosted
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.stamps import time_ns
from robot_learning.ros.common import conversions, qos


@pytest.fixture
def served(stepped, robot, checkpoint):
    """The graph, with a policy that never comes to its goal."""

    def one(**given):
        fixed = {"robot": robot, "task": "reach", "checkpoint": checkpoint, "backend": "eager"}
        return stepped(hosted("serve", drive="true", inference_ticks=1, **(fixed | given)))

    return one


def told(capfd):
    """What the leading node has said."""
    lines = capfd.readouterr().err.splitlines()
    return [line.split("]: ", 1)[1] for line in lines if "[rollout_node]" in line]


def test_each_begins_anew_and_ends_with_the_time_limit_of_the_task(served, robot, capfd):
    graph = served(episodes=2, seed=5)
    home, begins = load_profile(robot).home, []
    modes = graph.listen_json("arbiter/state")
    joints = graph.listen(JointState, "joint_states")

    for _ in range(2):
        graph.wait(lambda: modes and modes[-1]["mode"] == "POLICY")
        begins.append(np.array(joints[-1].position))
        graph.pass_s(3.9)
        assert np.abs(np.array(joints[-1].position) - home).max() > 0.1, "it has moved"
        graph.wait(lambda: modes[-1]["mode"] == "HOLD" or graph.code is not None)
    assert graph.run() == 0
    assert all(np.abs(begin - home).max() < 0.05 for begin in begins)
    lines = told(capfd)
    assert [line.split(" after")[0] for line in lines[:2]] == [
        "episode 1 (seed 5): failure",
        "episode 2 (seed 6): failure",
    ]
    # 200 steps at 50 Hz.
    assert all("after 4.0" in line for line in lines[:2])
    served_text = "served 2 episodes on scenes that demonstrations may have had (seeds from 5)"
    assert lines[2] == f"{served_text}: 0 of 2 succeeded, 0.000 [0.000, 0.658]"


def test_success_is_what_the_task_says(served, capfd):
    graph = served(episodes=1)
    modes = graph.listen_json("arbiter/state")
    says = graph.publisher(Bool, "task/success", qos.LATCHED)
    graph.wait(lambda: modes and modes[-1]["mode"] == "POLICY")
    graph.pass_s(0.5)
    says.publish(Bool(data=True))
    assert graph.run() == 0
    first, summary = told(capfd)
    assert first.startswith("episode 1 (seed 100000): success after 0.5")
    assert summary.startswith(
        "served 1 episode on held-out scenes (seeds from 100000): 1 of 1 succeeded"
    )


def test_what_a_person_helped_with_is_counted_apart(served, capfd):
    graph = served(episodes=1)
    modes = graph.listen_json("arbiter/state")
    hand = graph.publisher(JointTrajectory, "teleop/command", qos.COMMAND)
    helping = []

    def answer(state):
        if helping:
            stamp_ns = time_ns(state.header.stamp)
            position = np.array(state.position)
            hand.publish(conversions.trajectory_message(state.name, position, stamp_ns=stamp_ns))

    graph.listen(JointState, "joint_states", answer)
    graph.wait(lambda: modes and modes[-1]["mode"] == "POLICY")
    helping.append(True)
    graph.wait(lambda: modes[-1]["mode"] == "HUMAN")
    # Longer than an episode: nobody's arm is put back under their hands.
    graph.pass_s(6.0)
    assert modes[-1]["mode"] == "HUMAN"
    helping.clear()
    graph.wait(lambda: modes[-1]["mode"] == "HOLD")
    assert graph.ask("arbiter_node/hand_back").success
    assert graph.run() == 0
    first, summary = told(capfd)
    assert "failure with a person's help after 4.0" in first
    served_text = "served 1 episode on held-out scenes (seeds from 100000)"
    assert summary == f"{served_text}: 0 of 0 succeeded; 1 more with a person's help"


def test_a_policy_of_increments_drives_as_it_was_trained(served, robot, tmp_path):
    profile = load_profile(robot)
    middle = (profile.position_min + profile.position_max) / 2
    target = profile.home + 0.8 * np.sign(middle - profile.home) * (profile.velocity_max > 0.5)
    graph = served(episodes=1, checkpoint=save_increments(tmp_path / "one", profile, target))
    modes = graph.listen_json("arbiter/state")
    joints = graph.listen(JointState, "joint_states")
    graph.wait(lambda: modes and modes[-1]["mode"] == "POLICY")
    sent = graph.listen(JointTrajectory, "policy/command")
    positions = []
    for _ in range(12):
        graph.pass_s(0.1)
        positions.append(np.array(joints[-1].position))
    targets = {time_ns(each.header.stamp): each.points[0].positions[1] for each in sent}
    stamps_ns = sorted(targets)
    assert np.diff(stamps_ns[:11]).mean() == pytest.approx(50e6, rel=0.1), "the policy's own rate"
    steps = np.diff([targets[stamp_ns] for stamp_ns in stamps_ns[8:16]])
    np.testing.assert_allclose(steps, 0.3 * profile.velocity_max[1] / 20.0, rtol=0.05)
    assert modes[-1]["mode"] == "POLICY"
    np.testing.assert_allclose(positions[-1], target, atol=0.02)
    speeds = np.abs(np.diff(positions, axis=0))[:, 1] / 0.1
    # It catches up with what was asked for while it began to move, and is as fast as in training.
    assert speeds[3:7].mean() == pytest.approx(0.3 * profile.velocity_max[1], rel=0.1)
