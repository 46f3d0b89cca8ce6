"""Members that disagree are doubtful; a doubtful policy asks for help and waits for an answer."""

from dataclasses import replace

import numpy as np
import pytest
from steering_policy import save_steering, steering_policy, steering_spec

from robot_learning.core.errors import ConfigurationError
from robot_learning.serving.chunk_planner import planner_settings
from robot_learning.serving.ensemble import Ensemble
from robot_learning.serving.inference_worker import InferenceResult
from robot_learning.serving.local_policy import LocalPolicy
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_runner import Instant, PolicyRunner, RunnerSettings
from robot_learning.serving.served_policy import ServingSettings, serve_checkpoint

KEY = "obs/joint_position"
SPEC = steering_spec(["pan", "tilt"], action_steps=4, executed_steps=2)
PERIOD_NS = 20_000_000


def member(*target, spec=SPEC, gain=0.5):
    return LocalPolicy(steering_policy(spec, np.array(target), gain))


def window(*joints, stamp_ns=0):
    return Window(stamp_ns, {KEY: np.array([joints], np.float32)})


def test_doubt_is_the_norm_of_the_variances_where_the_members_disagree_most():
    ensemble = Ensemble([member(1.0, 0.0), member(-1.0, 0.0)], np.array([2.0, 1.0]))
    windows = [window(0.0, 0.0), window(0.5, 0.0)]
    actions = ensemble.infer(windows, [None, None])
    np.testing.assert_allclose(actions[0, :, 0], [0.5, 0.75, 0.875, 0.9375])
    # Of the two executed steps the second: 0.75 and -0.75 of a range of 2.
    np.testing.assert_allclose(ensemble.doubt(windows, actions), [0.375**2] * 2, rtol=1e-6)
    agreeing = Ensemble([member(1.0, 0.3), member(1.0, 0.3)], np.ones(2))
    assert agreeing.doubt(windows, agreeing.infer(windows, [None, None])).max() == 0.0
    assert member(1.0, 0.0).doubt(windows, actions) is None


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
    (doubt,) = served.client.doubt(seen, served.client.infer(seen, [None]))
    assert doubt > 0.0
    assert served.runner.ask_above == 0.2
    assert served.runner.expected_delay_s == 2 * served.probe.median_s
    alone = serve_checkpoint(folders[0], desk_arm, ServingSettings(device="cpu"))
    assert alone.runner.ask_above == float("inf")


@pytest.fixture
def runner():
    one = PolicyRunner(
        SPEC, RunnerSettings(planner_settings(SPEC, "asynchronous"), {KEY: 0.1}, ask_above=0.2)
    )
    one.driving = True
    return one


def answer(runner, now_ns, doubt):
    """One observation, and an answer with this doubt; what is sent then."""
    now = Instant(now_ns, now_ns)
    runner.observe(KEY, now_ns, np.zeros(2))
    request = runner.request(now_ns, now)
    assert request is not None
    runner.take(InferenceResult(request, np.zeros((4, 2)), "", 0, 0, doubt), now)
    return runner.output(now)


@pytest.mark.parametrize("doubt", [0.3, float("nan")])
def test_a_doubtful_policy_sends_nothing_until_it_is_answered(runner, doubt):
    times = iter(range(PERIOD_NS, 10**12, 10 * PERIOD_NS))
    assert answer(runner, next(times), 0.1) is not None
    assert answer(runner, next(times), doubt) is None
    assert (runner.asks, runner.counts.asked) == (True, 1)
    assert "asks for help" in runner.counts.last_problem
    # However long it drives on, and although it would know better by now.
    assert [answer(runner, next(times), 0.0) for _ in range(10)] == [None] * 10
    assert runner.counts.asked == 1
    # The arbiter holds: it proposes again, so that it can be handed back to.
    runner.driving = False
    assert answer(runner, next(times), doubt) is not None
    runner.driving, runner.asks = True, False
    assert answer(runner, next(times), 0.2) is not None
    assert not runner.asks


def test_while_somebody_else_drives_doubt_silences_nobody(runner):
    runner.driving = False
    assert answer(runner, PERIOD_NS, 0.9) is not None
    assert (runner.asks, runner.doubt) == (False, 0.9)


def test_who_is_never_to_ask_does_not_whatever_the_doubt(runner):
    runner.settings = replace(runner.settings, ask_above=float("inf"))
    assert answer(runner, PERIOD_NS, float("nan")) is not None
    assert not runner.asks
