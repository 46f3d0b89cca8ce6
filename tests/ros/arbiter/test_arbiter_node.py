"""`arbiter_node` over real DDS beside a simulated robot, with sources in processes of their own."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
from arbiter_graph import Graph, in_human, in_policy, running_graph, stands
from lockstep_peer import LockstepPeer
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from robot_learning.ros.common import conversions, qos


def epochs_at_takeovers(graph):
    """The policy's epoch before and after each tick in which a human took over from it."""
    return [
        (before["policy_epoch"], after["policy_epoch"])
        for before, after in pairwise(graph.states)
        if after["tick"] == before["tick"] + 1
        and (before["mode"], after["mode"]) == ("POLICY", "HUMAN")
    ]


def test_handover_between_two_moving_processes(graph):
    in_policy(graph)
    in_human(graph)
    while not (epochs := epochs_at_takeovers(graph)):
        # On a busy machine the policy was held first; from there the chunks were flushed before.
        graph.end("teleop")
        graph.until(lambda: graph.ask("hand_back").success)
        graph.until_mode("POLICY")
        in_human(graph)
    assert all(after == before + 1 for before, after in epochs)
    drives = False
    while not drives:
        # After a stall of a busy machine the human's next command is a takeover.
        graph.until(lambda: graph.ask("hand_back").success)
        graph.ticks(80)
        drives = graph.states[-1]["mode"] == "POLICY"
    assert graph.ask("take_over").success
    graph.until_mode("HUMAN")
    graph.ticks(80)
    graph.assert_no_jump()


def test_the_columns_of_a_tick_have_equal_stamps(graph):
    graph.hear_columns()
    in_human(graph)
    columns = graph.columns

    def common_stamps() -> set[int]:
        stamps = {state["stamp_ns"] for state in graph.states}
        return stamps.intersection(*(rows.keys() for rows in columns.values()))

    graph.until(lambda: len(common_stamps()) > 50)
    common = common_stamps()
    for stamp_ns in common:
        if not np.isnan(columns["human"][stamp_ns]).any():
            requested = columns["human"][stamp_ns] + columns["noise"][stamp_ns]
            np.testing.assert_array_equal(columns["requested"][stamp_ns], requested)


def test_stop_is_latched_over_services(graph):
    in_human(graph)
    assert graph.ask("stop").success
    graph.until_mode("FAULT")
    for name in ("take_over", "hand_back", "hold", "enable"):
        answer = graph.ask(name)
        assert not answer.success
        assert "call clear_fault" in answer.message
    graph.until(lambda: stands(graph) and not graph.states[-1]["publishing"])
    graph.assert_no_jump()
    assert graph.ask("clear_fault").success
    graph.until_mode("DISABLED")
    sent = len(graph.sent)
    graph.ticks(30)
    assert len(graph.sent) == sent


def test_noise_is_switched_by_parameters_and_only_between_episodes(graph):
    assert graph.parameters(noise__sigma=0.02, demonstrating=True) == ""
    in_human(graph)
    graph.until(lambda: graph.states[-1]["noise"])
    reason = graph.parameters(noise__sigma=0.05)
    assert "noise changes only between episodes" in reason
    episode = graph.states[-1]["episode"]
    assert graph.parameters(demonstrating=False) == ""
    graph.until(lambda: graph.states[-1]["episode"] is None)
    assert graph.parameters(noise__sigma=0.05, demonstrating=True) == ""
    graph.until(lambda: graph.states[-1]["episode"] == episode + 1)
    assert graph.parameters(noise__sigma=0.0, demonstrating=False) == ""
    graph.assert_no_jump()


def say_until(graph, publisher, text, episode):
    """Say it, and again every two seconds, as operators and recorders do, until it is heard."""
    for _ in range(60):
        publisher.publish(String(data=text))
        again_s = time.monotonic() + 2.0
        graph.until(
            lambda: graph.states[-1]["episode"] == episode or time.monotonic() > again_s  # noqa: B023
        )
        if graph.states[-1]["episode"] == episode:
            return
    raise AssertionError(f"'{text}' was never heard")


def test_demonstrations_follow_the_operators_keys(context):
    noise = ("-p", "demonstrations_follow:=operator", "-p", "noise.sigma:=0.02")
    with running_graph(Graph(context, "keys"), *noise, "-p", "autostart:=true") as graph:
        events = graph.node.create_publisher(String, "teleop/event", qos.EVENT)
        graph.until(lambda: events.get_subscription_count() > 0)
        in_human(graph)
        assert not any(state["noise"] for state in graph.states)
        for episode, end in enumerate(("stop", "discard", "success", "failure")):
            say_until(graph, events, "start", episode)
            graph.until(lambda: graph.states[-1]["noise"])
            assert "noise changes only between" in graph.parameters(noise__sigma=0.05)
            say_until(graph, events, end, None)
            assert not graph.states[-1]["noise"]
        graph.assert_no_jump()


def test_demonstrations_follow_the_recorder(context):
    follow = ("-p", "demonstrations_follow:=recorder")
    with running_graph(Graph(context, "recorder"), *follow, robot=False) as graph:
        status = graph.node.create_publisher(String, "recorder/status", qos.LATCHED)
        status.publish(String(data="nonsense"))
        for episode in range(2):
            say_until(graph, status, '{"recording": true}', episode)
            say_until(graph, status, '{"recording": false}', None)


def test_wrong_commands_are_counted_and_named(graph):
    publisher = graph.node.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)
    graph.until(lambda: publisher.get_subscription_count() > 0)
    names = list(graph.profile.joint_names)
    wrong = conversions.trajectory_message([*names[:-1], "grippe"], graph.profile.home)
    wrong.header.stamp = graph.node.get_clock().now().to_msg()
    publisher.publish(wrong)
    graph.until(lambda: "human/unknown_joint" in graph.states[-1]["refused"])
    assert "did you mean 'gripper'" in graph.states[-1]["last_refusal"]
    assert graph.mode() == "HOLD"
    graph.node.destroy_publisher(publisher)


def test_commands_for_a_forward_position_controller(context):
    graph = Graph(context, "arrays", Float64MultiArray)
    with running_graph(graph, "-p", "output:=position_array", "-p", "autostart:=true", robot=False):
        peer = LockstepPeer(graph)
        peer.now_ns = time.time_ns()
        peer.beat(until=lambda: graph.sent)
        np.testing.assert_allclose(graph.sent[-1], peer.arm)
