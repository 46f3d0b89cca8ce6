"""Actions as changes of the held command."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robot_learning.core.errors import CommandError, ConfigurationError
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.vector import RobotVectorEnv


def make(**choices):
    return RobotEnv("desk_arm", "reach", actions="increments", control_rate_hz=20.0, **choices)


def test_an_increment_is_a_share_of_what_the_velocity_limit_allows():
    env = make(increment_scale=0.5)
    observation, _ = env.reset(seed=0)
    before = env.world.command
    np.testing.assert_array_equal(observation["held_command"], before.astype(np.float32))
    action = np.linspace(-1, 1, env.action_space.shape[0]).astype(np.float32)
    observation, *_, info = env.step(action)
    wanted = before + 0.5 * env.profile.velocity_max / 20.0 * action.astype(np.float64)
    wanted = np.clip(wanted, env.profile.position_min, env.profile.position_max)
    np.testing.assert_allclose(info["taken"], wanted, atol=1e-12)
    np.testing.assert_array_equal(observation["held_command"], info["taken"].astype(np.float32))


def test_actions_beyond_the_bounds_are_cut_and_zero_holds():
    env = make()
    env.reset(seed=0)
    before = env.world.command
    taken = env.step(np.zeros(env.action_space.shape, np.float32))[-1]["taken"]
    np.testing.assert_array_equal(taken, before)
    far = env.step(np.full(env.action_space.shape, 9.0))[-1]["taken"]
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(np.ones(env.action_space.shape))[-1]["taken"], far)


def test_the_environment_keeps_gymnasiums_rules():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(make(reward="shaped"), skip_render_check=True)


def test_worlds_in_threads_equal_single_ones():
    batch = RobotVectorEnv(
        3, "desk_arm", "reach", actions="increments", reward="shaped", control_rate_hz=20.0
    )
    single = make(reward="shaped")
    observations, _ = batch.reset(seed=5)
    observation, _ = single.reset(seed=7)
    batch.action_space.seed(0)
    assert observations in batch.observation_space
    for _ in range(single.task.horizon_steps(20.0) + 5):
        actions = batch.action_space.sample()
        observations, rewards, terminated, truncated, infos = batch.step(actions)
        observation, reward, over, cut, _ = single.step(actions[2])
        assert (rewards[2], terminated[2], truncated[2]) == (reward, over, cut)
        if over or cut:
            for name, value in observation.items():
                np.testing.assert_array_equal(infos["final_obs"][2][name], value)
            observation, _ = single.reset()
        for name, value in observation.items():
            np.testing.assert_array_equal(observations[name][2], value)
    first = batch.restart_world(1, seed=7)
    observation, _ = make().reset(seed=7)
    np.testing.assert_equal(first, observation)
    batch.close()


@pytest.mark.parametrize("shape", [(), (2,)])
def test_actions_of_another_shape_are_refused(shape):
    env = make()
    env.reset(seed=0)
    with pytest.raises(CommandError, match="expected actions"):
        env.step(np.zeros(shape))


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"actions": "incremnts"}, "unknown kind of actions 'incremnts'; did you mean"),
        ({"actions": "increments", "increment_scale": 0.0}, "increment_scale: expected"),
    ],
)
def test_what_is_no_action_is_refused(choices, text):
    with pytest.raises(ConfigurationError, match=text):
        RobotEnv("desk_arm", "reach", **choices)
