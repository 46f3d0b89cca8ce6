"""What stands for a person in rounds with nobody there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from robot_learning.core.vocabulary import Mode
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.ros.dagger.operator import SimulatedOperator

SETTINGS = DaggerNodeSettings(arbiter_node="arbiter", teleop_node="teleop", step_in_s=10.0)


class Graph:
    """A coordinator that notes what is called, a policy that tells, and a clock that is set."""

    def __init__(self):
        self.called, self.scene = [], SimpleNamespace(mode=Mode.POLICY)
        ways = {"call_until_granted": self.called.append, "trigger": self.called.append}
        self.calls = SimpleNamespace(now_s=0.0, **ways)
        self.monitor = SimpleNamespace(asks=False, ready=0)

    def operator(self, on_call):
        one = SimulatedOperator(self, self.monitor, SETTINGS)
        one.begin(on_call)
        return one

    def after(self, operator, mode, seconds=0.1, **told):
        """What it calls once this has happened."""
        self.scene.mode, self.calls.now_s = mode, self.calls.now_s + seconds
        vars(self.monitor).update(told)
        self.called.clear()
        operator.go_on()
        return list(self.called)


@pytest.fixture
def graph():
    return Graph()


def test_who_watches_steps_in_where_the_policy_gets_nowhere_and_hands_back_what_holds(graph):
    operator = graph.operator(on_call=False)
    assert graph.called == ["teleop/watch"]
    assert graph.after(operator, Mode.POLICY, 9.0) == []
    assert graph.after(operator, Mode.HOLD, 0.6) == ["arbiter/hand_back"]
    assert graph.after(operator, Mode.POLICY, 1.0) == ["teleop/engage"]
    assert graph.after(operator, Mode.HUMAN, 60.0, ready=9) == [], "hands back by its own judgement"
    assert graph.after(operator, Mode.HOLD, 0.6, asks=True) == ["teleop/engage"]


def test_who_is_on_call_comes_when_asked_and_leaves_when_the_policy_is_ready(graph):
    operator = graph.operator(on_call=True)
    assert graph.called == []
    assert graph.after(operator, Mode.POLICY, 600.0) == [], "nobody watches"
    assert graph.after(operator, Mode.HOLD, 0.3, asks=True) == []
    assert graph.after(operator, Mode.HOLD, 0.3) == ["teleop/engage"]
    assert graph.after(operator, Mode.HUMAN, asks=False) == []
    assert graph.after(operator, Mode.HUMAN, ready=2) == []
    assert graph.after(operator, Mode.HUMAN, ready=3) == ["teleop/release", "arbiter/hand_back"]
    assert graph.after(operator, Mode.HUMAN, ready=0) == []
    assert graph.after(operator, Mode.POLICY) == ["teleop/release"], "was slow to let go"
    assert graph.after(operator, Mode.POLICY, 60.0) == []
    # Who was refused tries again.
    assert graph.after(operator, Mode.HOLD, 0.6) == ["arbiter/hand_back"]
