"""The hopper's expert: it hops on from anywhere near its gait, and is an array, no pickle."""

import gymnasium
import hopper_expert
import numpy as np

STEPS = 300


def _episode(expert, seed, noise=0.0):
    env = gymnasium.make("Hopper-v5", max_episode_steps=STEPS)
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    total, fell, truncated = 0.0, False, False
    while not (fell or truncated):
        action = expert(observation, info) + noise * rng.standard_normal(3)
        observation, reward, fell, truncated, info = env.step(np.clip(action, -1.0, 1.0))
        total += reward
    env.close()
    return fell, total


def test_it_hops_without_falling():
    outcomes = [_episode(hopper_expert.HopperExpert(), seed) for seed in range(5)]
    assert not any(fell for fell, _ in outcomes)
    assert min(total for _, total in outcomes) > 700


def test_it_recovers_from_disturbances():
    outcomes = [_episode(hopper_expert.HopperExpert(), seed, noise=0.1) for seed in range(5)]
    assert sum(not fell for fell, _ in outcomes) >= 4


def test_the_action_follows_from_the_observation_alone_and_is_within_the_limits():
    expert = hopper_expert.HopperExpert()
    rng = np.random.default_rng(0)
    for observation in rng.normal(0.0, 3.0, (50, 11)):
        action = expert(observation, {})
        assert action.shape == (3,)
        assert np.abs(action).max() <= 1.0
        assert np.array_equal(action, expert(observation))


def test_the_weights_are_small_and_plain():
    assert hopper_expert.WEIGHTS.stat().st_size < 200_000
    with np.load(hopper_expert.WEIGHTS, allow_pickle=False) as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float32)}
