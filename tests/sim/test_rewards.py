"""The shaped reward adds up to what does not depend on the way, and hovering does not pay."""

from __future__ import annotations

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import read_values
from robot_learning.sim.rewards import shaped_reward

GAMMA = 0.99


def discounted(rewards) -> float:
    return float(sum(GAMMA**step * reward for step, reward in enumerate(rewards)))


def test_under_the_shaped_reward_finishing_is_worth_more():
    potential, never = np.full(400, 0.9), np.zeros(400, bool)
    hovering = discounted(shaped_reward(potential, potential, never, GAMMA))
    finishing = discounted(shaped_reward(np.array([0.9]), np.array([1.0]), np.array([True]), GAMMA))
    assert hovering == pytest.approx(0.9 * (GAMMA**400 - 1.0))
    assert finishing == pytest.approx(1.0 - 0.9)
    assert finishing > 0 > hovering


@pytest.mark.parametrize("succeeds", [True, False])
def test_the_way_does_not_matter_but_the_end_does(succeeds):
    draw = np.random.default_rng(0)
    for _ in range(20):
        potential = draw.random(31)
        success = np.zeros(30, bool)
        success[-1] = succeeds
        found = discounted(shaped_reward(potential[:-1], potential[1:], success, GAMMA))
        # Success is worth 1 when it comes; cut off, the potential that was reached counts.
        end = GAMMA**29 if succeeds else GAMMA**30 * potential[-1]
        assert found == pytest.approx(end - potential[0])


@pytest.mark.parametrize("task", ["reach", "lift"])
def test_the_potentials_telescope(task):
    env = RobotEnv("desk_arm", task, reward="shaped", discount=GAMMA, control_rate_hz=20.0)
    dense = RobotEnv("desk_arm", task, reward="dense", control_rate_hz=20.0)
    for seed in range(2):
        env.reset(seed=seed)
        dense.reset(seed=seed)
        start = env.task.reward(values_of(env), env.profile)
        env.action_space.seed(seed)
        rewards, potential = [], start
        for _ in range(60):
            action = env.action_space.sample()
            _, reward, terminated, _, _ = env.step(action)
            potential = dense.step(action)[1]
            rewards.append(reward)
            assert not terminated
        expected = GAMMA ** len(rewards) * potential - start
        assert discounted(rewards) == pytest.approx(expected, abs=1e-9)


def values_of(env):
    return read_values(env.world, env._poses)


def returns_of(reward, seed, hovers):
    """The discounted return of the expert, or of one that stops just before the goal."""
    env = RobotEnv("desk_arm", "reach", reward=reward, discount=GAMMA)
    expert = make_expert("reach", load_profile("desk_arm"))
    observation, _ = env.reset(seed=seed)
    rewards, done, held = [], False, None
    while not done:
        gap = np.linalg.norm(observation["target"][:3] - observation["arm_end_effector"][:3])
        if held is None and hovers and gap < 2.0 * env.task.tolerance_m:
            held = observation["joint_position"]
        action = expert(observation) if held is None else held
        observation, value, terminated, truncated, _ = env.step(action)
        rewards.append(value)
        done = terminated or truncated
    return discounted(rewards), terminated


def test_the_expert_beats_one_that_hovers_only_under_the_shaped_reward():
    for reward, better in (("dense", True), ("shaped", False)):
        hovering, reached = returns_of(reward, 3, hovers=True)
        finishing, arrived = returns_of(reward, 3, hovers=False)
        assert (reached, arrived) == (False, True)
        assert (hovering > finishing) is better


def test_a_state_returns_to_the_same_shaped_rewards():
    env = RobotEnv("desk_arm", "reach", reward="shaped")
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    env.step(actions[0])
    state = env.get_state()
    first = [env.step(action)[1] for action in actions]
    env.set_state(state)
    assert [env.step(action)[1] for action in actions] == first


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"reward": "shapd"}, "unknown reward 'shapd'; did you mean 'shaped'"),
        ({"reward": "shaped", "discount": 1.1}, "discount: expected a number from 0 to 1"),
    ],
)
def test_what_is_no_reward_is_refused(choices, text):
    with pytest.raises(ConfigurationError, match=text):
        RobotEnv("desk_arm", "reach", **choices)
