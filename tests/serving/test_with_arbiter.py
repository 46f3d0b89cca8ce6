"""A policy's runner and the real arbiter in lockstep: who drives, and what the arm is told."""

import numpy as np
import pytest
from steering_policy import steering_policy, steering_spec

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import ArbiterState, Inputs
from robot_learning.core.clocks import NS_PER_S, Instant, seconds_to_ns
from robot_learning.core.vocabulary import Mode
from robot_learning.serving.chunk_planner import planner_settings
from robot_learning.serving.inference_worker import InferenceResult
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.policy_runner import PolicyRunner, RunnerSettings

KEY = "obs/joint_position"
TICK_NS = NS_PER_S // 100


class Session:
    """What the node does, with a robot that follows its commands exactly."""

    def __init__(self, profile, target, execution, delay_s, **steps):
        self.profile = profile
        steps = {"action_steps": 50, "executed_steps": 25, **steps}
        spec = steering_spec(profile.joint_names, **steps)
        self.client = LocalPolicy(steering_policy(spec, target, 0.02))
        planner = planner_settings(spec, execution)
        self.runner = PolicyRunner(spec, RunnerSettings(planner, {KEY: 0.1}, delay_s))
        self.arbiter = Arbiter(arbiter_settings(profile))
        self.state = ArbiterState()
        self.delay_ns = seconds_to_ns(delay_s)
        self.position = profile.home.copy()
        self.now_ns = NS_PER_S
        self.under_way = None
        self.epoch = 0
        self.sick = False
        self.decisions = []

    def tick(self, *requests, human=()):
        self.now_ns += TICK_NS
        now = Instant.lockstep(self.now_ns)
        self._answer(now)
        self.runner.observe(KEY, self.now_ns, self.position, now)
        request = self.runner.request(self.now_ns, now)
        if request is not None:
            self.under_way = (request, self.now_ns + self.delay_ns)
            self._answer(now)
        self.runner.tick(now)
        inputs = Inputs(
            human=human,
            policy=self._sent(now),
            measured=Measured(self.now_ns, self.now_ns, self.position),
            requests=requests,
        )
        self.state, decision = self.arbiter.step(self.state, inputs, Instant.lockstep(self.now_ns))
        self.runner.driving = decision.mode is Mode.POLICY
        if decision.policy_epoch != self.epoch:
            self.epoch = decision.policy_epoch
            self.runner.reset(self.now_ns)
        if decision.publish:
            self.position = decision.applied.copy()
        self.decisions.append(decision)
        return decision

    def run(self, seconds):
        return [self.tick() for _ in range(round(seconds * 100))]

    def _answer(self, now):
        if self.under_way is None or self.now_ns < self.under_way[1]:
            return
        request, self.under_way = self.under_way[0], None
        actions = self.client.infer([request.window], [request.prefix])[0]
        if self.sick:
            actions[0] = np.nan
        self.runner.take(InferenceResult(request, actions, "", 0, self.delay_ns), now)

    def _sent(self, now):
        chunk = self.runner.output(now)
        if chunk is None:
            return ()
        offsets_s, rows = chunk.points_from(now.ros_ns, NS_PER_S)
        names = self.profile.joint_names
        return (RawCommand(chunk.stamp_ns, self.now_ns, names, rows, offsets_s),)


def driving(profile, target, execution="asynchronous", delay_s=0.0, **steps):
    session = Session(profile, target, execution, delay_s, **steps)
    session.tick()
    session.tick(Request.ENABLE)
    session.run(1.0)
    assert session.tick(Request.HAND_BACK).mode is Mode.POLICY
    return session


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
@pytest.mark.parametrize("execution", ["receding_horizon", "asynchronous", "temporal_ensembling"])
def test_the_arm_reaches_the_policys_goal_and_every_chunk_is_taken(
    desk_arm, target, execution, delay_s
):
    session = driving(desk_arm, target, execution, delay_s)
    decisions = session.run(8.0)
    assert {decision.mode for decision in decisions} == {Mode.POLICY}
    np.testing.assert_allclose(session.position, target, atol=5e-3)
    assert session.runner.counts.starved_ticks == 0
    assert not decisions[-1].refusals.counts


@pytest.mark.parametrize("delay_s", [0.03, 0.3])
@pytest.mark.parametrize("execution", ["receding_horizon", "asynchronous"])
@pytest.mark.parametrize(
    "steps",
    [
        {"action_steps": 100, "executed_steps": 100},
        {"action_steps": 32, "executed_steps": 24, "rate_hz": 10.0},
    ],
    ids=["2 s", "2.4 s"],
)
def test_a_chunk_that_is_longer_than_an_observation_may_be_old_is_replaced_in_time(
    desk_arm, target, steps, execution, delay_s
):
    session = driving(desk_arm, target, execution, delay_s, **steps)
    decisions = session.run(8.0)
    assert {decision.mode for decision in decisions} == {Mode.POLICY}, decisions[-1]
    assert session.runner.counts.chunks >= 4


def test_not_a_number_gives_hold_and_stays_there(desk_arm, target):
    session = driving(desk_arm, target)
    session.sick = True
    decisions = session.run(1.2)
    assert decisions[-1].mode is Mode.HOLD
    assert all(np.isfinite(decision.applied).all() for decision in decisions)
    session.sick = False
    decisions = session.run(1.0)
    assert {decision.mode for decision in decisions} == {Mode.HOLD}
    assert np.isfinite(decisions[-1].policy).all()
    assert session.tick(Request.HAND_BACK).mode is Mode.POLICY


def test_a_person_takes_over_and_the_policy_goes_on_in_shadow(desk_arm, target):
    session = driving(desk_arm, target, delay_s=0.1)
    session.run(1.0)
    elsewhere = desk_arm.home + 0.05 * np.array([-1, 1, 1, 1, 1, 1, 0])
    names = desk_arm.joint_names
    for tick in range(150):
        stamp_ns = session.now_ns + TICK_NS
        command = RawCommand(stamp_ns, stamp_ns, names, elsewhere[None])
        decision = session.tick(human=(command,))
        assert decision.mode is Mode.HUMAN
        if tick > 20:  # the delay, and one step to ask
            assert np.isfinite(decision.policy).all()
    # What it would do answers to where the person has brought the arm.
    gained = 1 - 0.98 ** (1 + 50 * 0.3)
    assert np.abs(decision.policy - session.position).max() <= gained * 0.7
    assert not [name for name in decision.refusals.counts if name.startswith("policy/")]
