"""The pendulum's expert: it balances from anywhere, whoever acted before."""

import numpy as np
import pendulum_expert as pendulum
import pytest


def _episode(env, seed, noise_nm=0.0):
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    done = False
    while not done:
        action = pendulum.expert(observation, info) + noise_nm * rng.standard_normal(1)
        observation, _, _, done, info = env.step(np.clip(action, -2.0, 2.0))
    return info["is_success"]


def test_it_balances_from_every_start():
    env = pendulum.make_env()
    assert all(_episode(env, seed) for seed in range(30))


def test_it_balances_although_somebody_disturbs_it():
    env = pendulum.make_env()
    assert sum(_episode(env, seed, noise_nm=0.5) for seed in range(20)) >= 19


def test_hanging_at_rest_it_begins_to_swing():
    assert abs(pendulum.expert([-1.0, 0.0, 0.0], {})[0]) == pytest.approx(2.0)


def test_torque_stays_within_the_limit_and_follows_from_the_observation_alone():
    rng = np.random.default_rng(0)
    for angle, velocity in rng.uniform((-np.pi, -8.0), (np.pi, 8.0), (200, 2)):
        observation = np.array([np.cos(angle), np.sin(angle), velocity])
        torque = pendulum.expert(observation, {})
        assert torque.shape == (1,)
        assert abs(torque[0]) <= 2.0
        assert torque == pendulum.expert(observation)


def test_falling_over_is_no_success():
    env = pendulum.make_env()
    env.reset(seed=0)
    done, info = False, {}
    while not done:
        _, _, _, done, info = env.step(np.zeros(1))
    assert not info["is_success"]
