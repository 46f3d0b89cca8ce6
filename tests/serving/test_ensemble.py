"""A policy whose members disagree is uncertain: it asks for help and waits for an answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from steering_policy import LINEAR, save_steering, steering_policy, steering_spec

from robot_learning.core.clocks import Instant
from robot_learning.core.errors import ConfigurationError
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.errors import CheckpointError
from robot_learning.policies.families import make_policy
from robot_learning.policies.gate import NOVELTY, RISK, Thresholds
from robot_learning.policies.gate_folder import Critic, InterventionGate, load_gate, save_gate
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.serving.chunk_planner import planner_settings
from robot_learning.serving.ensemble import Ensemble
from robot_learning.serving.inference_worker import InferenceResult
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_runner import PolicyRunner, RunnerSettings
from robot_learning.serving.served_policy import ServingSettings, serve_checkpoint

KEY = "obs/joint_position"
SPEC = steering_spec(["pan", "tilt"], action_steps=4, executed_steps=2)
PERIOD_NS = 20_000_000
LIMITS = Thresholds(disagreement=0.2, risk=0.6, handback_risk=0.3)


def member(*target, spec=SPEC, gain=0.5):
    return LocalPolicy(steering_policy(spec, np.array(target), gain))


def window(*joints, stamp_ns=0):
    return Window(stamp_ns, {KEY: np.array([joints], np.float32)})


def test_disagreement_is_the_norm_of_the_variances_where_the_members_disagree_most():
    ensemble = Ensemble([member(1.0, 0.0), member(-1.0, 0.0)], np.array([2.0, 1.0]))
    windows = [window(0.0, 0.0), window(0.5, 0.0)]
    actions = ensemble.infer(windows, [None, None])
    np.testing.assert_allclose(actions[0, :, 0], [0.5, 0.75, 0.875, 0.9375])
    # Of the two executed steps the second: 0.75 and -0.75 of a range of 2.
    np.testing.assert_allclose(ensemble.disagreement(windows, actions), [0.375**2] * 2, rtol=1e-6)
    agreeing = Ensemble([member(1.0, 0.3), member(1.0, 0.3)], np.ones(2))
    assert agreeing.disagreement(windows, agreeing.infer(windows, [None, None])).max() == 0.0
    assert member(1.0, 0.0).disagreement(windows, actions) is None


def test_members_that_see_or_do_something_else_are_refused():
    other = member(1.0, 0.0, spec=replace(SPEC, executed_steps=1))
    with pytest.raises(ConfigurationError, match="member 2 of the ensemble"):
        Ensemble([member(1.0, 0.0), other], np.ones(2))
    with pytest.raises(ConfigurationError, match="two members or more"):
        Ensemble([other], np.ones(2))


def test_an_ensemble_is_served_from_several_checkpoints(tmp_path, desk_arm, target):
    folders = [
        save_steering(tmp_path / name, desk_arm, target + shift)
        for name, shift in (("a", 0.0), ("b", 0.1))
    ]
    settings = ServingSettings(device="cpu", members=(str(folders[1]),), ask_above=0.2)
    served = serve_checkpoint(folders[0], desk_arm, settings)
    seen = [Window(0, {KEY: desk_arm.home.astype(np.float32)[None]})]
    (disagreement,) = served.client.disagreement(seen, served.client.infer(seen, [None]))
    assert disagreement > 0.0
    assert served.runner.limits == Thresholds(disagreement=0.2)
    assert served.runner.expected_delay_s == 2 * served.probe.median_s
    alone = serve_checkpoint(folders[0], desk_arm, ServingSettings(device="cpu"))
    assert alone.runner.limits == Thresholds()


@pytest.fixture
def runner():
    one = PolicyRunner(
        SPEC, RunnerSettings(planner_settings(SPEC, "asynchronous"), {KEY: 0.1}, limits=LIMITS)
    )
    one.driving = True
    return one


def answer(runner, now_ns, disagreement, risk=None):
    """One observation, and an answer with this disagreement; what is sent then."""
    now = Instant.lockstep(now_ns)
    runner.observe(KEY, now_ns, np.zeros(2), now)
    request = runner.request(now_ns, now)
    assert request is not None
    runner.take(InferenceResult(request, np.zeros((4, 2)), "", 0, 0, disagreement, risk), now)
    return runner.output(now)


@pytest.mark.parametrize("disagreement", [0.3, float("nan")])
def test_an_uncertain_policy_sends_nothing_until_it_is_answered(runner, disagreement):
    times = iter(range(PERIOD_NS, 10**12, 10 * PERIOD_NS))
    assert answer(runner, next(times), 0.1) is not None
    assert answer(runner, next(times), disagreement) is None
    assert (runner.asks, runner.counts.asked) == (True, 1)
    assert "asks for help" in runner.counts.last_problem
    # However long it drives on, and although it would know better by now.
    assert [answer(runner, next(times), 0.0) for _ in range(10)] == [None] * 10
    assert runner.counts.asked == 1
    # The arbiter holds: it proposes again, so that it can be handed back to.
    runner.driving = False
    assert answer(runner, next(times), disagreement) is not None
    runner.driving, runner.asks = True, False
    assert answer(runner, next(times), 0.2) is not None
    assert not runner.asks


def test_while_somebody_else_drives_disagreement_silences_nobody(runner):
    runner.driving = False
    assert answer(runner, PERIOD_NS, 0.9) is not None
    assert (runner.asks, runner.disagreement) == (False, 0.9)


def test_who_is_never_to_ask_does_not_whatever_the_disagreement(runner):
    runner.settings = replace(runner.settings, limits=Thresholds())
    assert answer(runner, PERIOD_NS, float("nan")) is not None
    assert not runner.asks


def test_a_policy_asks_because_of_risk_too_and_says_why(runner):
    assert answer(runner, PERIOD_NS, 0.1, 0.6) is not None
    assert not runner.is_below_handback_threshold, "riskier than half of the states"
    assert answer(runner, 11 * PERIOD_NS, 0.1, 0.7) is None
    assert (runner.asks, runner.reason) == (True, RISK)
    assert "risk 0.7 above 0.6" in runner.counts.last_problem
    runner.driving, runner.asks = False, False
    assert answer(runner, 51 * PERIOD_NS, 0.1, 0.2) is not None
    assert runner.is_below_handback_threshold
    runner.driving = True
    assert answer(runner, 61 * PERIOD_NS, 0.9, 0.9) is None
    assert runner.reason == NOVELTY, "novelty comes first"


def critic_of(size, keys=(KEY,)):
    """Q is the first number of the state."""
    spec = PolicySpec((ObservationSpec("obs/observation", (size,)),), action_dim=1)
    policy = make_policy("deterministic", spec, None, LINEAR).eval()
    with torch.no_grad():
        policy.network[-1].weight.zero_()
        policy.network[-1].weight[0, 0] = 1.0
        policy.network[-1].bias.zero_()
    return Critic(policy, keys, np.array([2.0, 1.0]))


def test_an_ensemble_tells_the_risk_of_what_it_is_about_to_do():
    ensemble = Ensemble([member(1.0, 0.0), member(1.0, 0.0)], np.ones(2), critic_of(4))
    windows = [window(0.25, 0.0), window(9.0, 0.0)]
    actions = ensemble.infer(windows, [None, None])
    np.testing.assert_allclose(ensemble.risk(windows, actions), [0.75, -8.0])
    alone = Ensemble([member(1.0, 0.0), member(1.0, 0.0)], np.ones(2))
    assert alone.risk(windows, actions) is None
    with pytest.raises(ConfigurationError, match="critic sees obs/cube; the policy has obs/joint"):
        Ensemble([member(1.0, 0.0)] * 2, np.ones(2), critic_of(4, keys=("obs/cube",)))
    with pytest.raises(ConfigurationError, match=r"takes the shapes \[\(7,\)\].* be 4 numbers"):
        Ensemble([member(1.0, 0.0)] * 2, np.ones(2), critic_of(7))


def test_a_gate_is_served_from_its_folder_and_needs_its_ensemble(tmp_path, desk_arm, target):
    folders = [
        save_steering(tmp_path / name, desk_arm, target + shift)
        for name, shift in (("a", 0.0), ("b", 0.1))
    ]
    joints = len(desk_arm.joints)
    critic = replace(critic_of(2 * joints), action_scale=np.ones(joints))
    save_gate(tmp_path / "gate", InterventionGate(LIMITS, critic, {"rows": 7}), CheckpointDetails())
    gate = load_gate(tmp_path / "gate")
    assert (gate.thresholds, gate.source) == (LIMITS, {"rows": 7})
    given = ServingSettings(device="cpu", members=(str(folders[1]),), gate=str(tmp_path / "gate"))
    served = serve_checkpoint(folders[0], desk_arm, given)
    assert served.runner.limits == LIMITS
    seen = [Window(0, {KEY: desk_arm.home.astype(np.float32)[None]})]
    (risk,) = served.client.risk(seen, served.client.infer(seen, [None]))
    assert risk == pytest.approx(1.0 - desk_arm.home[0])
    louder = serve_checkpoint(folders[0], desk_arm, replace(given, ask_above=0.9))
    assert louder.runner.limits == replace(LIMITS, disagreement=0.9)
    with pytest.raises(ConfigurationError, match="name its further members"):
        serve_checkpoint(folders[0], desk_arm, replace(given, members=()))


@pytest.mark.parametrize("text", ["{", "{}", '{"version": 1, "thresholds": {"luck": 1}}'])
def test_a_damaged_gate_is_one_line(tmp_path, text):
    (tmp_path / "gate.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"gate\.json: damaged"):
        load_gate(tmp_path)
    with pytest.raises(CheckpointError, match="no gate here"):
        load_gate(tmp_path / "nowhere")
