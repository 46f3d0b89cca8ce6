"""Rewards that are fitted to rankings predict others, and what cannot be fitted is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.comparisons import Comparisons, held_out_rankings
from robot_learning.learning.preferences.config import FitConfig
from robot_learning.learning.preferences.fitting import Fit, fit_reward
from robot_learning.learning.preferences.held_out import probabilities, raw_returns
from robot_learning.learning.preferences.joining import joined
from robot_learning.learning.preferences.judging import band_of, ranked_by_return
from robot_learning.learning.preferences.learned_reward import (
    REWARD_NAME,
    LearnedReward,
    load_reward,
    save_reward,
)
from robot_learning.learning.preferences.ranking_file import offered
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.preferences.segments import Segments

QUICK = {"members": 3, "hidden": (16,), "steps": 100, "learning_rate": 1e-2}


def rankings_of(segments: Segments, count: int, band: float = 0.1) -> list[Ranking]:
    returns = segments.returns()
    drawn = [offered(segments.names, number, 4, 0) for number in range(count)]
    width = band_of(returns, band)
    return [ranked_by_return(n, returns[[int(name) for name in n]], width) for n in drawn]


def fitted(segments: Segments, ties: str = "davidson") -> Fit:
    config = FitConfig(ties=ties, **QUICK)  # type: ignore[arg-type]
    return fit_reward(segments, rankings_of(segments, 40), config)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper", "half-win", "drop"])
def test_a_known_reward_is_found_up_to_scale(
    ties: str, make_segments: Callable[..., Segments]
) -> None:
    segments = make_segments()
    found = fitted(segments, ties)
    assert found.held_out.accuracy is not None and found.held_out.accuracy > 0.8
    assert found.held_out.decided is not None and found.held_out.decided > -0.5
    assert (found.held_out.all is not None) == (ties in ("davidson", "rao-kupper"))
    learned = raw_returns(found.reward, segments).mean(axis=0)
    assert np.corrcoef(learned, segments.returns())[0, 1] > 0.9
    assert found.trained == 32 and found.held_out.rankings == 8


def test_rewards_have_mean_0_and_deviation_1_on_the_segments_and_a_seed_decides_them(
    make_segments: Callable[..., Segments], tmp_path: Path
) -> None:
    segments = make_segments()
    reward = fitted(segments).reward
    flat = segments.observations.reshape(-1, 2), segments.actions.reshape(-1, 1)
    members = reward.of_members(*flat)
    np.testing.assert_allclose(members.mean(axis=1), 0.0, atol=1e-4)
    np.testing.assert_allclose(members.std(axis=1), 1.0, atol=1e-4)
    spread = members.std(axis=0)
    assert spread.mean() > 0.01
    np.testing.assert_allclose(reward.rewards(*flat, 2.0), members.mean(axis=0) - 2.0 * spread)
    save_reward(tmp_path / "one", reward, {})
    save_reward(tmp_path / "two", fitted(segments).reward, {})
    (again, digest), (_, other) = load_reward(tmp_path / "one"), load_reward(tmp_path / "two")
    assert digest == other
    np.testing.assert_array_equal(again.of_members(*flat), members)


def constant_reward(segments: Segments) -> LearnedReward:
    return LearnedReward(
        *(segments.columns, np.zeros(3, np.float32), np.ones(3, np.float32)),
        *((np.zeros((2, 1, 3), np.float32),), (np.ones((2, 1), np.float32),)),
        *(np.zeros(2), np.ones(2), "davidson", np.zeros(2)),
    )


def test_under_a_reward_that_is_constant_the_better_one_is_a_guess_at_any_length(
    make_segments: Callable[..., Segments],
) -> None:
    for length in (3, 30):
        segments = make_segments(count=4, length=length)
        nothing = constant_reward(segments)
        comparisons = Comparisons.of([Ranking.parse("0 > 1 > 2 = 3")])
        found = probabilities(nothing, segments, comparisons)
        np.testing.assert_allclose(found, 1 / 3)


def test_rankings_of_several_folders_are_joined(make_segments: Callable[..., Segments]) -> None:
    one, two = make_segments(count=3), make_segments(count=4, seed=1)
    given = [Ranking.parse("0 > 2"), Ranking.parse("1 = 3 > 0")]
    segments, rankings = joined([(one, given[:1]), (two, given[1:])])
    assert len(segments) == 7 and list(map(str, rankings)) == ["0 > 2", "4 = 6 > 3"]
    np.testing.assert_array_equal(segments.observations[4], two.observations[1])
    assert segments.origins.seeds[segments.origins.episode[4]] == two.origins.seeds[1]
    with pytest.raises(ConfigurationError, match="8 steps in the first folder and 5 in another"):
        joined([(one, []), (make_segments(count=3, length=5), [])])


def test_whole_rankings_are_held_out() -> None:
    found = held_out_rankings(50, 0.2, 0)
    assert held_out_rankings(2, 0.8, 0).sum() == 1
    assert found.sum() == 10 and not np.array_equal(found, held_out_rankings(50, 0.2, 1))


@pytest.mark.parametrize(
    ("rankings", "said"),
    [
        (["0 > 1"] * 4, "4 rankings: a share of 0.2 is held out, which takes 5 or more"),
        (["0 = 1", "2 = 3"] * 4, "8 rankings and nothing but ties: none says which"),
        ([], "0 rankings: a share"),
        (
            ["0 = 1" if held_out else "0 > 1" for held_out in held_out_rankings(10, 0.2, 0)],
            "2 rankings held out and nothing but ties: rank more segments, or choose others",
        ),
        (
            ["0 > 1" if held_out else "0 = 1" for held_out in held_out_rankings(10, 0.2, 0)],
            "8 rankings to learn from and nothing but ties",
        ),
    ],
)
def test_rankings_that_say_nothing_are_refused(
    rankings: list[str], said: str, make_segments: Callable[..., Segments]
) -> None:
    given = [Ranking.parse(text) for text in rankings]
    with pytest.raises(ConfigurationError, match=said):
        fit_reward(make_segments(count=4), given, FitConfig())


def test_a_reward_that_is_missing_or_no_number_is_refused(
    tmp_path: Path, make_segments: Callable[..., Segments]
) -> None:
    with pytest.raises(ConfigurationError, match=r"reward.npz is missing; fit one: robot-learning"):
        load_reward(tmp_path)
    reward = fitted(make_segments()).reward
    reward.biases[0][0, 0] = np.nan
    save_reward(tmp_path, reward, {})
    with pytest.raises(ConfigurationError, match=f"{REWARD_NAME}: damaged: bias_0 is not finite"):
        load_reward(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mean": np.array(["x"] * 3)}, "mean are of the type <U1"),
        ({"mean": np.zeros(2, "f")}, r"mean have the shape \(2,\), expected \(3,\): its networks"),
        ({"tie": np.zeros(3)}, r"tie have the shape \(3,\), expected \(2,\)"),
        ({"biases": (np.ones((1, 1), "f"),)}, r"bias_0 have the shape \(1, 1\), expected \(2, 1\)"),
        ({"weights": (np.zeros((2, 2, 3), "f"),)}, r"weight_0 have the shape \(2, 2, 3\), expect"),
        ({"std": np.zeros(3, "f")}, "std is 0, which nothing can be div"),
        ({"ties": "davidsn"}, "ties: unknown value 'davidsn'; did you mean 'davidson'"),
        ({"weights": (), "biases": ()}, "its networks have no layers"),
    ],
)
def test_a_reward_that_contradicts_itself_is_refused(
    wrong: dict[str, Any], said: str, tmp_path: Path, make_segments: Callable[..., Segments]
) -> None:
    reward = constant_reward(make_segments(count=2))
    save_reward(tmp_path, replace(reward, **wrong), {})
    with pytest.raises(ConfigurationError, match=f"{REWARD_NAME}: damaged: {said}"):
        load_reward(tmp_path)
