"""`arbiter_node` beside sources and a robot that are killed and frozen while the arm moves."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from arbiter_graph import PERIOD_S, ROBOT, in_human, in_policy, stands


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_teleoperator_that_dies_or_freezes_while_moving_gives_hold(graph, number):
    in_human(graph)
    moving = max(np.abs(np.diff(list(graph.applied.values()), axis=0)).max(axis=1))
    assert moving > 0.1 * PERIOD_S
    graph.processes["teleop"].send_signal(number)
    graph.until_mode("HOLD")
    graph.until(lambda: stands(graph))
    for state in graph.states:
        if state["mode"] == "HUMAN":
            assert state["ages_s"]["human"][0] <= 0.15
    driven = [index for index, state in enumerate(graph.states) if state["mode"] == "HUMAN"]
    stop = driven[-1] + 1
    assert "no command from the human for" in graph.states[stop]["reasons"][0]
    # at rest as soon as the acceleration limit allows
    longest = round(max(graph.profile.velocity_max / graph.profile.acceleration_max) / PERIOD_S)
    after = graph.states[stop]["tick"] + longest + 1
    graph.until(lambda: max(graph.applied, default=0) > after)
    later = [row for tick, row in graph.applied.items() if tick >= after]
    assert all((row == later[0]).all() for row in later)
    # and the arm itself stands where it was told to
    graph.until(lambda: np.abs(graph.arm - later[0])[:6].max() < 0.02)
    graph.assert_no_jump()


def test_a_frozen_teleoperator_that_thaws_takes_over_without_a_jump(graph):
    in_human(graph)
    graph.processes["teleop"].send_signal(signal.SIGSTOP)
    graph.until_mode("HOLD")
    graph.ticks(150)
    graph.processes["teleop"].send_signal(signal.SIGCONT)
    graph.until_mode("HUMAN")
    graph.ticks(100)
    graph.assert_no_jump()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_policy_that_dies_or_freezes_while_moving_gives_hold(graph, number):
    in_policy(graph)
    graph.processes["policy"].send_signal(number)
    graph.until_mode("HOLD")
    graph.until(lambda: stands(graph))
    for state in graph.states:
        if state["mode"] == "POLICY":
            assert state["ages_s"]["policy"][0] <= 0.15
    graph.processes["policy"].send_signal(signal.SIGCONT)
    graph.ticks(50)
    # it does not start again by itself
    assert graph.mode() == "HOLD"
    graph.assert_no_jump()


def test_a_robot_that_dies_and_comes_back_is_not_moved_until_enabled(graph):
    """Last of those that share a graph: the robot is another one afterwards."""
    in_human(graph)
    graph.end("robot_node")
    graph.until_mode("HOLD")
    graph.until_mode("FAULT")
    for state in graph.states:
        if state["mode"] == "HUMAN":
            assert state["ages_s"]["robot"][0] <= 0.15
    graph.assert_no_jump()
    graph.until(lambda: not graph.states[-1]["publishing"])
    graph.arm, sent = None, len(graph.sent)
    settings = ("-p", f"robot:={ROBOT}", "-p", "task:=reach", "-p", "cameras:=none")
    graph.start("robot_node", *settings)
    graph.until(lambda: graph.arm is not None)
    start = graph.arm
    graph.ticks(50)
    # a teleoperator who still sends does not move it either
    assert graph.mode() == "FAULT"
    assert len(graph.sent) == sent
    assert np.abs(graph.arm - start)[:6].max() < 0.01
    assert graph.ask("clear_fault").success
    graph.until(lambda: graph.ask("enable").success)
    graph.until_mode("HUMAN")
    graph.ticks(5)
    graph.forget()
    graph.ticks(80)
    graph.assert_no_jump()
    assert graph.end("arbiter_node", signal.SIGINT) == 0
