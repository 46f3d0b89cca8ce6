"""Segments of rollouts, and the runs that learn from what was fitted to them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.spaces import ActionLayout
from robot_learning.learning.preferences.columns import Columns
from robot_learning.learning.preferences.config import FitConfig
from robot_learning.learning.preferences.fitting import fit_reward
from robot_learning.learning.preferences.judging import ranked_by_return
from robot_learning.learning.preferences.learned_reward import LearnedReward, save_reward
from robot_learning.learning.preferences.ranking_file import offered
from robot_learning.learning.preferences.segments import Segments
from robot_learning.learning.reinforcement.actor_critic import Scaling
from robot_learning.learning.reinforcement.config import (
    IterationResult,
    PreferenceConfig,
    ReinforcementConfig,
)
from robot_learning.learning.reinforcement.episodes import Episode
from robot_learning.learning.reinforcement.judgement import Judgement, Sources, learned_mean
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.reinforcement.proximal import Ppo
from robot_learning.learning.reinforcement.remarks import remarks
from robot_learning.learning.reinforcement.segment_rollouts import (
    Driver,
    collect_segments,
    columns_of,
)
from robot_learning.learning.reinforcement.state import load
from robot_learning.learning.reinforcement.stepping import make_stepper
from robot_learning.learning.reinforcement.study import summary
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.trained_policy import load_policy


class StopNowError(Exception):
    pass


def collected(env: Any, drivers: tuple[Driver, ...] = (Driver(None),), **changed: Any) -> Segments:
    settings = {"episodes": 30, "length": 5, "per_episode": 2, "seed": 0, **changed}
    return collect_segments(env, {}, drivers, **settings)


@pytest.fixture(scope="module")
def reward(corridor: Any) -> LearnedReward:
    """A reward that was fitted to random rollouts."""
    segments = collected(corridor)
    returns = segments.returns()
    drawn = [offered(segments.names, number, 4, 0) for number in range(40)]
    rankings = [ranked_by_return(n, returns[[int(name) for name in n]], 0.2) for n in drawn]
    config = FitConfig(members=2, hidden=(16,), steps=100, learning_rate=1e-2)
    return fit_reward(segments, rankings, config).reward


@pytest.fixture
def fitted(tmp_path: Path, reward: LearnedReward) -> Path:
    """A folder with that reward."""
    save_reward(tmp_path / "fitted", reward, {})
    return tmp_path / "fitted"


def test_rollouts_follow_from_their_seed_and_can_be_repeated(corridor: Any) -> None:
    one, again, other = collected(corridor), collected(corridor), collected(corridor, seed=1)
    np.testing.assert_array_equal(one.observations, again.observations)
    assert not np.array_equal(one.observations[:5], other.observations[:5])
    assert one.columns == Columns({"obs/place": 1, "obs/side": 2}, 1)
    env, origins = corridor(), one.origins
    last = len(one) - 1
    episode, first = int(origins.episode[last]), int(origins.first[last])
    observation, _ = env.reset(seed=int(origins.seeds[episode]))
    for action in origins.actions[episode][:first]:
        observation, *_ = env.step(action)
    np.testing.assert_array_equal(observation["place"], one.observations[last, 0, :1])


def test_a_policy_acts_less_the_more_is_mixed_in(
    corridor: Any, quick: ReinforcementConfig, tmp_path: Path
) -> None:
    run_reinforcement(quick, tmp_path, env=corridor)
    policy = load_policy(tmp_path)
    changed = {}
    for share in (0.0, 0.5, 1.0):
        found = collected(corridor, (Driver(policy, share),), episodes=8)
        place = {"place": found.observations[0, 0, :1], "side": found.observations[0, 0, 2] > 0.5}
        acted = policy.act({**place, "side": int(place["side"])})
        changed[share] = not np.allclose(acted, found.actions[0, 0])
    assert not changed[0.0] and changed[1.0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"length": 50}, "the longest has 20 steps: segments are equally long"),
        ({"length": 0}, "--length: expected at least 1, found 0"),
        ({"episodes": 0}, "--episodes: expected at least 1"),
    ],
)
def test_what_cannot_be_collected_is_refused(
    changed: dict[str, Any], said: str, corridor: Any
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        collected(corridor, **changed)
    with pytest.raises(ConfigurationError, match="--mix: expected shares"):
        Driver(None, 1.5)


def test_an_environment_without_rewards_can_be_ranked_by_hand_alone(
    bad_corridors: dict[str, Any],
) -> None:
    segments = collected(bad_corridors["none"])
    with pytest.raises(ConfigurationError, match="the segments have no rewards"):
        segments.returns()


def test_what_was_ranked_by_hand_is_learned_in_an_environment_without_rewards(
    tmp_path: Path, bad_corridors: dict[str, Any], quick: ReinforcementConfig, fitted: Path
) -> None:
    config = learning(quick, fitted)
    state = run_reinforcement(config, tmp_path / "run", env=bad_corridors["none"])
    results = state.results
    assert {result.return_mean for result in results} == {None} and results[-1].length_mean
    evaluated = [result for result in results if result.greedy_learned is not None]
    assert len(evaluated) == 3 and {result.greedy_return for result in evaluated} == {None}
    assert state.final is not None and np.isnan(state.final.return_mean)
    assert summary({0: state})["return_mean"] is None


def learning(quick: ReinforcementConfig, folder: Path, **values: Any) -> ReinforcementConfig:
    settings = {f"preference.{name}": value for name, value in values.items()}
    return quick.with_values({"preference.reward": str(folder), **settings})


def test_a_run_learns_from_the_fitted_reward_and_reports_the_true_one(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig, fitted: Path
) -> None:
    told: list[IterationResult] = []
    config = learning(quick, fitted).with_values({"steps": 3000, "ppo.learning_rate": 1e-2})
    state = run_reinforcement(config, tmp_path / "run", env=corridor, tell=told.append)
    first, last = told[0], told[-1]
    assert first.return_mean is not None and last.return_mean is not None
    assert last.return_mean > first.return_mean
    assert all(result.learned_return is not None for result in told)
    judged = [result for result in told if result.greedy_learned is not None]
    assert state.best_return == max(result.greedy_learned for result in judged)
    assert "reward_digest" in state.identity and state.final is not None
    training = load_checkpoint(tmp_path / "run" / "best").details.training
    kept = next(result for result in told if result.step == training["step"])
    assert training["greedy_return"] == kept.greedy_return
    assert training["greedy_learned"] == kept.greedy_learned == state.best_return


def test_a_run_whose_learned_reward_parts_from_the_true_one_stops_and_says_so(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig, reward: LearnedReward
) -> None:
    fitted = tmp_path / "turned"
    # Away from the goal is better.
    save_reward(fitted, replace(reward, scale=-reward.scale), {})
    values = {"steps": 30_000, "ppo.learning_rate": 1e-2, "evaluation.times": 60}
    config = learning(quick, fitted, window=5).with_values(values)
    state = run_reinforcement(config, tmp_path / "run", env=corridor)
    assert state.step < 30_000 and state.final is not None
    (said,) = [line for line in remarks(state) if line.startswith("stopped: ")]
    assert "the learned reward of a step was higher by" in said
    resumed = partial(run_reinforcement, folder=tmp_path / "run", env=corridor, resume=True)
    again = resumed(config)
    assert (again.step, again.stopped) == (state.step, said)
    longer = replace(config.preference, window=0)
    step = state.step + 200

    def stop(result: IterationResult) -> None:
        if result.step > step:
            raise StopNowError

    with pytest.raises(StopNowError):
        resumed(replace(config, preference=longer), tell=stop)
    assert not remarks(load(tmp_path / "run"))


def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig, fitted: Path
) -> None:
    run_reinforcement(quick.with_values({"seed": 5}), tmp_path / "near", env=corridor)
    config = learning(quick, fitted, reference=str(tmp_path / "near"))
    run_reinforcement(config, tmp_path / "whole", env=corridor)

    def stop(result: IterationResult) -> None:
        if result.iteration == 3:
            raise StopNowError

    with pytest.raises(StopNowError):
        run_reinforcement(config, tmp_path / "cut", env=corridor, tell=stop)
    run_reinforcement(config, tmp_path / "cut", env=corridor, resume=True)
    whole, cut = load(tmp_path / "whole"), load(tmp_path / "cut")
    assert whole.arrays.keys() == cut.arrays.keys() and whole.final == cut.final
    assert all(np.array_equal(whole.arrays[name], cut.arrays[name]) for name in whole.arrays)
    weights = {result.kl_weight for result in whole.results}
    assert None not in weights and len(weights) > 1


def test_a_policy_is_pulled_to_the_one_that_it_is_to_be_near_to(
    tmp_path: Path, corridor: Any, quick: ReinforcementConfig
) -> None:
    fast = quick.with_values({"ppo.learning_rate": 1e-2, "steps": 1500})
    run_reinforcement(fast.with_values({"seed": 5}), tmp_path / "near", env=corridor)
    values = {"preference.reference": str(tmp_path / "near"), "preference.target_kl": 1e-2}
    config = fast.with_values(values)
    state = run_reinforcement(config, tmp_path / "run", env=corridor)
    found = [result.reference_kl for result in state.results if result.reference_kl is not None]
    assert len(found) == len(state.results) and found[-1] < 0.5 * found[0]


def test_a_reward_of_other_spaces_is_refused_before_anything_is_written(
    tmp_path: Path, balance: Any, quick: ReinforcementConfig, fitted: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"--reward .* has obs/place of 1 number, the env"):
        run_reinforcement(learning(quick, fitted), tmp_path / "run", env=balance)
    assert not (tmp_path / "run" / "state.npz").exists()
    with pytest.raises(ConfigurationError, match="PPO alone learns from a fitted reward"):
        learning(quick.with_values({"algorithm": "reinforce"}), fitted)


def test_a_policy_that_cannot_be_stayed_near_to_is_refused(
    tmp_path: Path, corridor: Any, balance: Any, quick: ReinforcementConfig
) -> None:
    run_reinforcement(quick, tmp_path / "other", env=balance)
    config = quick.with_values({"preference.reference": str(tmp_path / "other")})
    with pytest.raises(ConfigurationError, match=r"--reference .* observes obs/observation"):
        run_reinforcement(config, tmp_path / "run", env=corridor)


@pytest.mark.parametrize("ends", ["bootstrap", "end"])
def test_of_two_episodes_the_longer_one_is_not_the_better_one_for_that(
    ends: Any, corridor: Any, reward: LearnedReward
) -> None:
    columns = ActionLayout(corridor.action_space)
    scaling = Scaling(columns, np.zeros(3), np.ones(3))
    near = np.tile(np.array([0.05, 0.0, 1.0], np.float32), (20, 1))
    short, long = (
        Episode(n, near[:n], np.zeros((n, 1), np.float32), np.zeros(n), n < 20, near[0], 1.0)
        for n in (5, 20)
    )
    config = PreferenceConfig(ends=ends)
    one, other = (learned_mean(reward, config, [each], scaling) for each in (short, long))
    assert one != 0.0 and one == pytest.approx(other if ends == "bootstrap" else other * 5 / 20)
    assert learned_mean(reward, config, [short, long], scaling) == pytest.approx((one + other) / 2)


def test_the_reward_that_is_learned_from_is_that_of_the_rows(
    corridor: Any,
    quick: ReinforcementConfig,
    reward: LearnedReward,
    make_judged: Callable[..., Any],
) -> None:
    segment, judged, figures = make_judged(corridor, quick, reward)
    actions = np.clip(segment.drawn * 0.5, -0.5, 0.5)
    expected = reward.rewards(segment.observations[2], actions[2].astype(np.float32), 0.5)
    taken = expected - judged.rewards[2]
    np.testing.assert_allclose(taken, taken[0], rtol=1e-4)
    assert np.isclose(judged.rewards.mean(), 0.0)
    assert np.isfinite(figures["learned_return"]) and segment.ended
    assert replace(judged, rewards=segment.rewards).outcomes == segment.outcomes


def simple(env: Any, worth: float, of_first_choice: float = 0.0) -> LearnedReward:
    """A reward that gives each step the same, and action 0 something more."""
    stepper = make_stepper(env, {}, 1)
    columns = columns_of(stepper.observations, stepper.actions)
    size, layer = columns.inputs, np.zeros((1, 1, columns.inputs), np.float32)
    layer[..., -2] = of_first_choice
    bias, one = np.zeros((1, 1), np.float32), np.ones(1)
    mean, std = np.zeros(size, np.float32), np.ones(size, np.float32)
    return LearnedReward(columns, mean, std, (layer,), (bias,), -worth * one, one, "drop", one)


@pytest.mark.parametrize(
    ("worth", "of_ending", "shortest", "longest"),
    [(-1.0, 0.0, 1.6, 2.5), (1.0, 0.0, 1.6, 2.5), (1.0, -0.5, 4.0, 8.0), (-1.0, 0.5, 1.0, 1.2)],
)
def test_episodes_are_as_long_as_what_is_done_in_them_is_good(
    worth: float,
    of_ending: float,
    shortest: float,
    longest: float,
    balance: Any,
    quick: ReinforcementConfig,
) -> None:
    config = quick.with_values(
        {"ppo.learning_rate": 3e-3, "steps": 10**6, "preference.reward": "x"}
    )
    reward = simple(balance, worth, of_ending)
    learner = Ppo(config, make_stepper(balance, {}, 8), Sources(reward, None, {}))
    lengths = [learner.iterate(number)["length_mean"] for number in range(1, 31)]
    assert shortest <= np.mean(lengths[-5:]) <= longest


def test_a_terminated_episode_stays_where_it_ended_and_one_that_is_cut_off_goes_on(
    balance: Any, quick: ReinforcementConfig, make_judged: Callable[..., Any]
) -> None:
    config = quick.with_values({"preference.reward": "x", "discount": 0.75})
    sources = Sources(simple(balance, 1.0), None, {})
    segment, _, _ = make_judged(balance, config, sources.reward)
    segment = replace(segment, truncated=~segment.terminated)
    went_on = Judgement(config, sources, 3).continued(segment, 2.0 * segment.rewards)
    assert segment.terminated.any() and not went_on.terminated.any() and went_on.truncated.all()
    np.testing.assert_array_equal(went_on.next_values[segment.terminated], 8.0)
    rest = ~segment.terminated
    np.testing.assert_array_equal(went_on.next_values[rest], segment.next_values[rest])
    with pytest.raises(ConfigurationError, match=r"discount: .* no finite sum at 1"):
        config.with_values({"discount": 1.0})
