"""A policy beside a control loop, in simulated time: what is asked, planned, sent and refused."""

from dataclasses import replace

import numpy as np
import pytest
from steering_policy import steering_policy, steering_spec

from robot_learning.core.clocks import NS_PER_S, Instant, seconds_to_ns
from robot_learning.policies.spec import ObservationSpec
from robot_learning.serving.chunk_planner import planner_settings
from robot_learning.serving.inference_worker import InferenceResult
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.observation_history import Gap, ObservationHistory
from robot_learning.serving.policy_runner import PolicyRunner, RunnerSettings

KEY = "obs/joint_position"
IMAGE = "images/front"
PIXELS = np.zeros((4, 6, 3), np.uint8)
ROBOT_PERIOD = NS_PER_S // 100
START = 5 * NS_PER_S


class Loop:
    """A robot of one joint that does what it is told, and a policy that takes `delay_s`."""

    def __init__(self, execution="asynchronous", delay_s=0.0, gain=0.05, **steps):
        self.spec = steering_spec(["pan"], **{"action_steps": 50, "executed_steps": 25, **steps})
        self.client = LocalPolicy(steering_policy(self.spec, np.array([1.0]), gain))
        planner = planner_settings(self.spec, execution)
        settings = RunnerSettings(planner, {KEY: 0.1}, expected_delay_s=delay_s)
        self.runner = PolicyRunner(self.spec, settings)
        self.runner.driving = True
        self.delay_ns = seconds_to_ns(delay_s)
        self.now_ns = START
        self.joint = 0.0
        self.joints = []
        self.sent = []
        self.under_way = []
        self.answer = lambda actions: actions
        self.next = None

    @property
    def now(self):
        return Instant.lockstep(self.now_ns)

    def step(self):
        """10 ms: an observation, what is due of the policy's answers, the robot's motion."""
        self.now_ns += ROBOT_PERIOD
        for request, due_ns in list(self.under_way):
            if self.now_ns >= due_ns:
                self.under_way.remove((request, due_ns))
                self.runner.take(self.compute(request, self.now_ns), self.now)
        if self.next is not None and not self.runner.awaits:
            target, execution, steps = self.next
            self.adopt(target, execution, **steps)
        if self.now_ns % (2 * ROBOT_PERIOD) == 0:
            self.runner.tick(self.now)
        self.runner.observe(KEY, self.now_ns, np.array([self.joint]), self.now)
        request = self.runner.request(self.now_ns, self.now)
        if request is not None:
            self.under_way.append((request, self.now_ns + max(self.delay_ns, 1)))
        chunk = self.runner.output(self.now)
        self.sent.append(chunk)
        followed = chunk is not None and self.runner.driving
        if followed and chunk.stamp_ns <= self.now_ns <= chunk.last_ns:
            self.joint = float(chunk.at([self.now_ns])[0, 0])
        self.joints.append(self.joint)

    def run(self, seconds):
        for _ in range(round(seconds * 100)):
            self.step()

    def adopt(self, target, execution, **steps):
        self.next = None
        self.spec = steering_spec(["pan"], **steps)
        self.client = LocalPolicy(steering_policy(self.spec, np.array([target])))
        history = ObservationHistory(self.spec.observations, self.spec.observation_steps, 50.0)
        history.push(KEY, self.now_ns, np.array([self.joint]), self.now_ns)
        planner = planner_settings(self.spec, execution)
        self.runner.adopt(self.spec, replace(self.runner.settings, planner=planner), history)

    def compute(self, request, now_ns):
        actions = self.answer(self.client.infer([request.window], [request.prefix])[0])
        return InferenceResult(request, actions, "", now_ns - self.delay_ns, now_ns)


def seeing_runner():
    """Of a policy that sees the joint and a camera."""
    spec = steering_spec(["pan"], action_steps=50, executed_steps=25)
    spec = replace(spec, observations=(*spec.observations, ObservationSpec(IMAGE, (4, 6, 3), True)))
    ages_s = {KEY: 0.1, IMAGE: 0.3}
    return PolicyRunner(spec, RunnerSettings(planner_settings(spec), ages_s))


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.3])
def test_asynchronous_execution_does_not_starve_however_slow_the_policy(delay_s):
    loop = Loop(delay_s=delay_s)
    loop.run(20.0)
    counts = loop.runner.counts
    assert counts.starved_ticks == 0
    assert counts.chunks >= 20.0 / 0.6 - 2
    assert loop.joint == pytest.approx(1.0, abs=1e-3)
    # Steps that were past on arrival were skipped, not executed late.
    arrived = [chunk for chunk in loop.sent if chunk is not None]
    assert all(chunk.end_ns > START for chunk in arrived)
    assert (counts.skipped_steps > 0) == (delay_s > 0.0)


def test_a_policy_slower_than_its_chunk_starves_and_says_so():
    loop = Loop(delay_s=0.6, action_steps=16, executed_steps=8)
    loop.run(5.0)
    assert loop.runner.counts.late > 3
    assert loop.runner.counts.chunks == 0
    quick = Loop(delay_s=0.3, action_steps=16, executed_steps=16, execution="receding_horizon")
    quick.run(5.0)
    assert quick.runner.counts.chunks > 3
    assert quick.runner.counts.starved_ticks > 10


def test_a_chunk_answers_to_its_observation_and_is_followed_by_stamp():
    loop = Loop(delay_s=0.1, gain=0.0)  # a policy that wants to stay where it is
    loop.joint = 0.3
    loop.run(2.0)
    assert loop.joint == pytest.approx(0.3)
    stamps = {chunk.stamp_ns for chunk in loop.sent if chunk is not None}
    assert all((stamp - START) % ROBOT_PERIOD == 0 for stamp in stamps)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "shape"])
def test_an_output_that_is_no_action_silences_the_policy_long_enough_to_hold(bad):
    loop = Loop()
    loop.run(1.0)
    assert loop.sent[-1] is not None

    def spoilt(actions):
        if bad == "shape":
            return actions[:-1]
        spoilt_actions = actions.copy()
        spoilt_actions[3, 0] = bad
        return spoilt_actions

    loop.answer = spoilt
    loop.sent.clear()
    loop.run(1.0)
    assert loop.runner.counts.refused >= 1
    silent = [chunk is None for chunk in loop.sent]
    assert sum(silent) >= 45, "longer than an arbiter's patience of 0.15 s"
    loop.answer = lambda actions: actions
    loop.run(1.0)
    assert loop.sent[-1] is not None, "it proposes again, which is for a person to accept"
    problem = loop.runner.counts.last_problem
    assert "expected 50 x 1" in problem if bad == "shape" else "'pan'" in problem


def test_what_is_no_action_at_all_counts_as_refused():
    loop = Loop()
    loop.runner.observe(KEY, loop.now_ns, np.zeros(1), loop.now)
    request = loop.runner.request(loop.now_ns, loop.now)
    refused = InferenceResult(
        request, None, "its disagreement: expected numbers", 0, 1, refused=True
    )
    assert not loop.runner.take(refused, loop.now)
    assert (loop.runner.counts.failed, loop.runner.counts.refused) == (0, 1)
    assert "was refused: its disagreement" in loop.runner.counts.last_problem
    assert loop.runner.output(loop.now) is None


def test_a_failed_inference_is_counted_and_the_next_one_counts_again():
    loop = Loop()
    loop.runner.observe(KEY, loop.now_ns, np.zeros(1), loop.now)
    request = loop.runner.request(loop.now_ns, loop.now)
    failed = InferenceResult(request, None, "OutOfMemoryError: none left", 0, 1)
    assert not loop.runner.take(failed, loop.now)
    assert (loop.runner.counts.failed, loop.runner.counts.refused) == (1, 0)
    assert "none left" in loop.runner.counts.last_problem
    loop.run(1.0)
    assert loop.runner.counts.chunks > 0


def test_after_a_reset_an_answer_from_before_is_dropped():
    loop = Loop(delay_s=0.2)
    loop.run(0.1)
    assert loop.under_way
    barrier_ns = loop.now_ns
    loop.runner.reset(barrier_ns)
    assert loop.runner.output(loop.now) is None
    loop.run(1.0)
    assert loop.runner.counts.superseded == 1
    assert min(chunk.stamp_ns for chunk in loop.sent if chunk) >= barrier_ns


def test_a_clock_that_steps_back_begins_anew():
    loop = Loop()
    loop.run(1.0)
    loop.now_ns = START
    loop.sent.clear()
    loop.step()
    assert loop.sent[-1] is None
    loop.run(0.5)
    assert loop.sent[-1].stamp_ns <= loop.now_ns


def test_an_observation_from_the_future_stops_nothing():
    loop = Loop()
    loop.run(1.0)
    future_ns = loop.now_ns + 10 * NS_PER_S
    assert not loop.runner.observe(KEY, future_ns, np.zeros(1), loop.now)
    assert loop.runner.request(future_ns, loop.now) is None
    loop.run(3.0)
    assert loop.runner.counts.starved_ticks == 0
    assert loop.runner.counts.from_future == 1
    assert loop.runner.history.refused == {f"{KEY}/from_future": 1}


def test_a_frame_from_before_the_clock_began_anew_hides_no_later_one():
    runner = seeing_runner()
    runner.notice(Instant(ros_ns=60 * NS_PER_S, steady_ns=0))
    runner.notice(Instant(ros_ns=0, steady_ns=1))
    runner.observe(IMAGE, 60 * NS_PER_S, PIXELS, Instant(ros_ns=0, steady_ns=1))
    now = Instant(ros_ns=ROBOT_PERIOD, steady_ns=2)
    runner.observe(IMAGE, now.ros_ns, PIXELS, now)
    runner.observe(KEY, now.ros_ns, np.zeros(1), now)
    assert runner.request(now.ros_ns, now) is not None


def test_a_stream_that_a_request_lacks_is_named():
    runner, now = seeing_runner(), Instant(ros_ns=START, steady_ns=0)
    runner.observe(KEY, START, np.zeros(1), now)
    assert runner.request(START, now) is None
    assert runner.gap == Gap((IMAGE,), ())
    runner.observe(IMAGE, START, PIXELS, now)
    assert runner.request(START, now) is not None
    assert runner.gap is None


def test_what_is_lacking_is_told_until_it_is_there_again():
    runner = seeing_runner()

    def after(seconds, *keys):
        now = Instant(ros_ns=START + seconds_to_ns(seconds), steady_ns=seconds_to_ns(seconds))
        for key in keys:
            runner.observe(key, now.ros_ns, PIXELS if key == IMAGE else np.zeros(1), now)
        runner.tick(now)
        if KEY in keys:
            runner.request(now.ros_ns, now)
        return runner.gap

    assert after(1.0) == Gap((KEY, IMAGE), ())
    assert after(1.1, KEY) == Gap((IMAGE,), ())
    assert after(1.2, KEY, IMAGE) is None
    assert runner.awaits
    assert after(1.3) is None, "no observation is due yet"
    assert after(1.7) == Gap((), (KEY, IMAGE)), "joints and poses without equal stamps, say"
    assert after(1.8, KEY) == Gap((), (IMAGE,)), "a camera that has died"
    assert after(1.9, KEY, IMAGE) is None


def test_nothing_is_asked_without_fresh_observations_and_the_plan_runs_out():
    loop = Loop()
    loop.run(0.5)
    chunks = loop.runner.counts.chunks
    for _ in range(200):
        loop.now_ns += ROBOT_PERIOD
        assert loop.runner.request(loop.now_ns, loop.now) is None or loop.now_ns < START + NS_PER_S
        loop.runner.tick(loop.now)
    assert loop.runner.output(loop.now) is None
    assert loop.runner.counts.starved_ticks > 10
    assert loop.runner.counts.chunks == chunks


def test_one_request_is_under_way_at_a_time_and_a_stuck_policy_is_noticed():
    loop = Loop(delay_s=1000.0)
    loop.run(1.0)
    assert len(loop.under_way) == 1
    assert loop.runner.overdue_s(loop.now) == 0.0
    loop.run(3.0)
    assert loop.runner.overdue_s(loop.now) > 2.0


@pytest.mark.parametrize("execution", ["receding_horizon", "asynchronous", "temporal_ensembling"])
@pytest.mark.parametrize(
    ("before", "after", "delay_s"),
    [
        ((50, 25), (20, 10), 0.05),
        ((16, 8), (16, 8), 0.03),
        ((16, 8), (100, 50), 0.03),
        ((16, 8), (100, 100), 0.03),
        ((8, 8), (32, 16), 0.03),
        ((100, 100), (100, 100), 0.3),
        ((1, 1), (16, 8), 0.005),
        ((100, 50), (2, 1), 0.005),
    ],
)
def test_another_policy_is_adopted_without_a_gap(before, after, delay_s, execution):
    for step in range(0, 2 * before[1], max(1, before[1] // 8)):  # wherever the plan stands
        loop = Loop("auto", delay_s, action_steps=before[0], executed_steps=before[1])
        loop.run(0.5 + step / 100)
        steps = {"action_steps": after[0], "executed_steps": after[1], "observation_steps": 2}
        loop.next = (-1.0, execution, steps)
        loop.sent.clear()
        loop.run(1.0)
        assert all(chunk is not None for chunk in loop.sent)
        assert loop.runner.counts.starved_ticks == 0
        assert loop.runner.counts.superseded == 0
        assert loop.joint < 0.5, "it goes to where the other one wants it"


def test_an_answer_of_the_policy_before_is_dropped():
    loop = Loop(delay_s=0.2)
    loop.run(0.1)
    (request, _), *_ = loop.under_way
    loop.adopt(-1.0, "asynchronous")
    assert not loop.runner.take(loop.compute(request, loop.now_ns), loop.now)
    assert loop.runner.counts.superseded == 1


def test_in_shadow_the_plan_answers_to_the_newest_observations():
    loop = Loop(gain=0.0)
    loop.runner.driving = False
    loop.run(1.0)
    loop.joint = 0.7  # a person moves the arm
    loop.run(0.05)
    assert loop.sent[-1].actions[0, 0] == pytest.approx(0.7)
    assert loop.runner.counts.starved_ticks == 0
