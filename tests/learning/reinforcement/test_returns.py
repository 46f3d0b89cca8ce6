"""Returns and advantages against sums written out, and what ends of episodes keep apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.learning.reinforcement.returns import (
    discounted_sums,
    generalized_advantages,
    returns_to_go,
    standardized,
)

GAMMA, LAMBDA = 0.9, 0.8
FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12)


def written_out(rewards, values, following, terminated, truncated):
    """A_t = Σ_k (γλ)^k δ_{t+k}, up to the end of the episode."""
    found = []
    for start in range(len(rewards)):
        total = 0.0
        for step in range(start, len(rewards)):
            after = 0.0 if terminated[step] else GAMMA * following[step]
            delta = rewards[step] + after - values[step]
            total += (GAMMA * LAMBDA) ** (step - start) * delta
            if terminated[step] or truncated[step]:
                break
        found.append(total)
    return found


@given(FLAGS, st.integers(0, 1000))
def test_advantages_are_the_sums_that_define_them(flags, seed):
    draw = np.random.default_rng(seed)
    terminated, truncated = (np.array(each) for each in zip(*flags, strict=True))
    rewards, values, following = draw.normal(size=(3, len(flags)))
    ours = generalized_advantages(
        rewards, values, following, terminated, truncated, discount=GAMMA, decay=LAMBDA
    )
    theirs = written_out(rewards, values, following, terminated, truncated)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_advantages_by_hand():
    # Two environments; the first terminates after its second step, the second is cut off there.
    rewards = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    values = np.array([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]])
    following = np.array([[20.0, 20.0], [70.0, 70.0], [50.0, 50.0]])
    ends = np.array([[False, False], [True, True], [False, False]])
    terminated, truncated = ends.copy(), ends.copy()
    terminated[:, 1], truncated[:, 0] = False, False
    found = generalized_advantages(
        rewards, values, following, terminated, truncated, discount=0.5, decay=0.5
    )
    last = 4.0 + 0.5 * 50.0 - 30.0
    over, cut = 2.0 - 20.0, 2.0 + 0.5 * 70.0 - 20.0
    first = 1.0 + 0.5 * 20.0 - 10.0
    expected = [[first + 0.25 * over, first + 0.25 * cut], [over, cut], [last, last]]
    np.testing.assert_allclose(found, expected)


@given(FLAGS, st.integers(0, 1000))
def test_with_lambda_1_they_are_returns_minus_values(flags, seed):
    draw = np.random.default_rng(seed)
    terminated, truncated = (np.array(each) for each in zip(*flags, strict=True))
    rewards, values, last = draw.normal(size=(3, len(flags)))
    # Within an episode the successor's value is the next one.
    following = np.where(truncated, last, np.append(values[1:], last[-1]))
    ours = generalized_advantages(
        rewards, values, following, terminated, truncated, discount=GAMMA, decay=1.0
    )
    returns = returns_to_go(rewards, terminated, truncated, following, GAMMA)
    np.testing.assert_allclose(ours, returns - values, atol=1e-9)


def test_both_ends_at_once_are_a_termination():
    true = np.array([True])
    one, value = np.ones(1), np.full(1, 100.0)
    assert returns_to_go(one, true, true, value, 0.9)[0] == 1.0
    assert (
        generalized_advantages(one, np.zeros(1), value, true, true, discount=0.9, decay=0.9)[0]
        == 1.0
    )


@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_nothing_crosses_from_one_episode_into_another(poison):
    rewards, values = np.arange(6.0), np.arange(6.0)
    following = np.append(values[1:], 6.0)
    terminated = np.array([False, False, True, False, False, False])
    nothing = np.zeros(6, bool)
    clean = generalized_advantages(
        rewards, values, following, terminated, nothing, discount=0.9, decay=0.9
    )
    for bad in (rewards, values, following):
        bad[3:] = poison
    following[2] = poison
    dirty = generalized_advantages(
        rewards, values, following, terminated, nothing, discount=0.9, decay=0.9
    )
    np.testing.assert_array_equal(dirty[:3], clean[:3])
    found = returns_to_go(rewards, terminated, nothing, following, 0.9)
    np.testing.assert_allclose(found[:3], [0 + 0.9 * (1 + 0.9 * 2), 1 + 0.9 * 2, 2])


def test_a_task_that_never_ends_is_worth_its_whole_future():
    # Cut every 10 steps, reward 1: only the value of what follows makes V = 1 / (1 - γ) consistent.
    gamma, length = 0.99, 10
    value = 1 / (1 - gamma)
    cut = np.zeros(length, bool)
    cut[-1] = True
    found = returns_to_go(
        np.ones(length), np.zeros(length, bool), cut, np.full(length, value), gamma
    )
    np.testing.assert_allclose(found, value)


def test_discounted_sums_begin_anew_with_each_episode():
    rewards, ended = np.array([[1.0], [1.0], [1.0]]), np.array([[False], [True], [False]])
    found, after = discounted_sums(rewards, ended, np.array([2.0]), 0.5)
    assert found.ravel().tolist() == [2.0, 2.0, 1.0]
    assert after.tolist() == [1.0]


def test_equal_advantages_become_zeros_and_one_stays_as_it_is():
    assert standardized(np.full(5, 0.1)).tolist() == [0.0] * 5
    assert standardized(np.array([3.0])).tolist() == [3.0]
    found = standardized(np.array([1.0, 2.0, 4.0]))
    assert found.mean() == pytest.approx(0.0) and found.std() == pytest.approx(1.0)
