"""Running statistics, and the scale of rewards that they give."""

import numpy as np
import pytest

from robot_learning.learning.reinforcement.moments import Moments
from robot_learning.learning.reinforcement.reward_scale import RewardScale


def test_batches_give_the_moments_of_all_rows() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(1000.0, 0.5, (300, 3)).astype(np.float32)
    moments = Moments(3)
    for part in np.split(rows, [1, 1, 40, 200]):
        moments.add(part)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, exact.var(axis=0), rtol=1e-6)


def test_numbers_that_do_not_vary_are_not_scaled() -> None:
    moments = Moments(2)
    assert moments.std.tolist() == [1.0, 1.0]
    moments.add(np.tile([3.0, 4.0], (10, 1)))
    assert moments.std.tolist() == [1.0, 1.0]


def test_rewards_are_scaled_by_the_deviation_of_the_return_and_keep_their_sign() -> None:
    draw = np.random.default_rng(0)
    rewards, never = draw.normal(5.0, 20.0, (4000, 2)), np.zeros((4000, 2), bool)
    scaled = RewardScale(2, 0.9).scaled(rewards, never)
    returns = np.zeros(2)
    seen = []
    for reward in rewards:
        returns = 0.9 * returns + reward
        seen.append(returns)
    np.testing.assert_allclose(scaled, rewards / np.std(seen), rtol=1e-9)
    # Equal rewards of 0 stay 0, whatever the deviation is.
    assert not RewardScale(2, 0.9).scaled(np.zeros((5, 2)), never[:5]).any()


def test_it_goes_on_from_segment_to_segment() -> None:
    draw = np.random.default_rng(0)
    rewards, ended = draw.normal(size=(20, 2)), draw.random((20, 2)) < 0.2
    one, other = RewardScale(2, 0.9), RewardScale(2, 0.9)
    one.scaled(rewards[:10], ended[:10])
    other.restore(one.arrays())
    assert other.scaled(rewards[10:], ended[10:]) == pytest.approx(
        one.scaled(rewards[10:], ended[10:])
    )


def test_without_a_scale_rewards_stay_as_they_are() -> None:
    rewards = np.full((3, 1), 1e6)
    assert RewardScale(1, 0.9, is_on=False).scaled(rewards, np.zeros((3, 1), bool)) is rewards
