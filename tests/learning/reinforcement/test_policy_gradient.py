"""REINFORCE's estimate against the exact gradient of a small Markov decision process."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from robot_learning.learning.reinforcement.actor_critic import ActorCritic
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.distributions import Choices
from robot_learning.learning.reinforcement.policy_gradient import (
    Batch,
    Reinforce,
    policy_gradient,
    value_gradient,
)
from robot_learning.learning.reinforcement.returns import returns_to_go
from robot_learning.learning.reinforcement.stepping import make_stepper
from robot_learning.learning.training.errors import TrainingError

HORIZON = 3
# P(next state 1 | state, action), and the reward of (state, action).
TRANSITION = np.array([[0.2, 0.9], [0.6, 0.3]])
REWARD = np.array([[1.0, -0.5], [0.3, 2.0]])
START = np.array([0.7, 0.3])


def networks() -> ActorCritic:
    """A softmax policy with a free parameter for each state and action."""
    found = ActorCritic(
        2, 2, Choices(), deviations=0, hidden=(), rng=np.random.default_rng(0), dtype=np.float64
    )
    found.values[:] = np.random.default_rng(1).normal(size=len(found.values))
    return found


def exact_gradient(policy: ActorCritic) -> Any:
    """∇J by differentiating the expected return, computed backwards in time."""
    ((weight, bias),) = policy.actor_layers
    weight, bias = torch.tensor(weight), torch.tensor(bias)
    for each in (weight, bias):
        each.requires_grad_()
    probability = torch.softmax(torch.eye(2, dtype=torch.float64) @ weight.T + bias, dim=1)
    value = torch.zeros(2, dtype=torch.float64)
    after = torch.tensor(TRANSITION)
    for _ in range(HORIZON):
        expected = (1 - after) * value[0] + after * value[1]
        value = (probability * (torch.tensor(REWARD) + expected)).sum(dim=1)
    (torch.tensor(START) * value).sum().backward()
    return np.concatenate([weight.grad.numpy().ravel(), bias.grad.numpy()])


def all_paths(policy: ActorCritic) -> Any:
    """Every path with its probability: states, actions."""
    outputs = policy.actor.forward(np.eye(2))
    probability = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    for states in product((0, 1), repeat=HORIZON):
        for actions in product((0, 1), repeat=HORIZON):
            chance = START[states[0]]
            for step, (state, action) in enumerate(zip(states, actions, strict=True)):
                chance *= probability[state, action]
                if step + 1 < HORIZON:
                    to_one = TRANSITION[state, action]
                    chance *= to_one if states[step + 1] else 1 - to_one
            yield chance, states, actions


@pytest.mark.parametrize(
    ("signal", "baseline"), [("total", "none"), ("to_go", "none"), ("to_go", "learned")]
)
def test_the_expected_estimate_is_the_gradient_of_the_return(signal: str, baseline: str) -> None:
    policy = networks()
    values = np.array([3.0, -7.0])
    rows, drawn, weighted = [], [], []
    for chance, states, actions in all_paths(policy):
        rewards = REWARD[list(states), list(actions)]
        over = np.arange(HORIZON) == HORIZON - 1
        to_go = returns_to_go(rewards, over, np.zeros_like(over), np.zeros(HORIZON), 1.0)
        batch = Batch(
            inputs=np.eye(2)[list(states)],
            drawn=np.array(actions, float)[:, None],
            to_go=to_go,
            total=np.full(HORIZON, to_go[0]),
            values=values[list(states)],
        )
        rows.append(batch.inputs)
        drawn.append(batch.drawn)
        weighted.append(chance * batch.signal(signal, baseline))
    policy_gradient(
        policy, np.concatenate(rows), np.concatenate(drawn), np.concatenate(weighted), weight=1.0
    )
    found = -policy.gradient[policy.actor_part]
    np.testing.assert_allclose(found, exact_gradient(policy), atol=1e-12)


def test_the_baselines_gradient_is_that_of_half_the_squared_error() -> None:
    policy = networks()
    inputs, targets = np.eye(2), np.array([1.0, 4.0])
    loss = value_gradient(policy, inputs, targets)
    difference = policy.value(inputs) - targets
    assert loss == pytest.approx(0.25 * float(difference @ difference))
    gradient = policy.gradient[policy.critic_part]
    np.testing.assert_allclose(gradient, [*(difference / 2), difference.mean()])


def learner(corridor: Any, quick: ReinforcementConfig, **values: Any) -> Reinforce:
    config = quick.with_values({"algorithm": "reinforce", **values})
    return Reinforce(config, make_stepper(corridor, {}, config.envs))


def test_how_many_environments_there_are_does_not_matter(corridor: Any, quick: Any) -> None:
    one, several = (learner(corridor, quick, envs=envs) for envs in (1, 4))
    for number in range(1, 4):
        figures = [each.iterate(number) for each in (one, several)]
        # The last bits of a product of matrices depend on their sizes.
        assert figures[0]["return_mean"] == pytest.approx(figures[1]["return_mean"], rel=1e-4)
    np.testing.assert_allclose(one.networks.values, several.networks.values, atol=1e-3)
    assert one.episodes == 15


def test_equal_rewards_change_nothing_of_the_policy(bad_corridors: Any, quick: Any) -> None:
    values = {"reinforce.baseline": "none", "reinforce.truncated": "end"}
    run = learner(bad_corridors["equal"], quick, **values)
    before = run.networks.values[run.networks.actor_part].copy()
    run.iterate(1)
    np.testing.assert_array_equal(run.networks.values[run.networks.actor_part], before)


def test_cut_off_episodes_alone_teach_nothing_without_a_value(
    bad_corridors: Any, quick: Any
) -> None:
    run = learner(bad_corridors["equal"], quick, **{"reinforce.baseline": "none"})
    with pytest.raises(TrainingError, match="every episode of the first batch was cut off"):
        run.iterate(1)
