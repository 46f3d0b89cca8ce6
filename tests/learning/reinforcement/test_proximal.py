"""PPO's loss and gradient against PyTorch's autograd, and against Stable-Baselines3's own step."""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from torch import nn

from robot_learning.learning.reinforcement.actor_critic import ActorCritic
from robot_learning.learning.reinforcement.config import PpoConfig, ReinforcementConfig
from robot_learning.learning.reinforcement.distributions import Choices, DiagonalNormal
from robot_learning.learning.reinforcement.proximal import Ppo, Rows, surrogate_gradient
from robot_learning.learning.reinforcement.stepping import make_stepper

COUNT, INPUTS, CLIP, NEAR_WEIGHT = 64, 4, 0.2, 0.3


def networks(kind: str, dtype: Any = np.float64, hidden: tuple[int, ...] = (9, 7)) -> ActorCritic:
    draw = np.random.default_rng(0)
    distribution = Choices() if kind == "choices" else DiagonalNormal(3)
    found = ActorCritic(
        INPUTS,
        3,
        distribution,
        deviations=0 if kind == "choices" else 3,
        hidden=hidden,
        rng=draw,
        dtype=dtype,
    )
    found.values += 0.1 * draw.normal(size=len(found.values)).astype(dtype)
    return found


def rows_of(policy: ActorCritic, spread: float = 0.3) -> Rows:
    """Rows of a policy that has changed since, so that ratios lie on both sides of the clip."""
    draw = np.random.default_rng(1)
    dtype = policy.values.dtype
    inputs = draw.normal(size=(COUNT, INPUTS)).astype(dtype)
    outputs = policy.actor.forward(inputs)
    noise = policy.distribution.noise(draw, COUNT)
    drawn = policy.distribution.sample(outputs, policy.log_std, noise)
    density = policy.distribution.log_density(outputs, policy.log_std, drawn)
    return Rows(
        inputs,
        drawn,
        (density + spread * draw.normal(size=COUNT)).astype(dtype),
        (policy.value(inputs) + spread * draw.normal(size=COUNT)).astype(dtype),
        draw.normal(size=COUNT).astype(dtype),
        draw.normal(size=COUNT).astype(dtype),
    )


class Twin(nn.Module):
    """The same networks in PyTorch."""

    def __init__(self, policy: ActorCritic) -> None:
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(*self.layers(each.layers)) for each in (policy.actor, policy.critic)
        )
        self.log_std = nn.Parameter(torch.tensor(policy.log_std.copy()))

    @staticmethod
    def layers(weights: Any) -> list[nn.Module]:
        found: list[nn.Module] = []
        for weight, bias in weights:
            layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
            layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
            found += [layer, nn.Tanh()]
        return found[:-1]

    def distribution(self, inputs: torch.Tensor) -> Any:
        outputs = self.actor(inputs)
        if not len(self.log_std):
            return torch.distributions.Categorical(logits=outputs)
        normal = torch.distributions.Normal(outputs, self.log_std.exp())
        return torch.distributions.Independent(normal, 1)

    def gradient(self) -> Any:
        parts = [*self.actor.parameters(), self.log_std, *self.critic.parameters()]
        return np.concatenate([part.grad.numpy().ravel() for part in parts if part.numel()])


def loss_in_torch(twin: Twin, rows: Rows, settings: PpoConfig) -> torch.Tensor:
    inputs, advantages = torch.tensor(rows.inputs), torch.tensor(rows.advantages)
    distribution = twin.distribution(inputs)
    drawn = torch.tensor(rows.drawn if len(twin.log_std) else rows.drawn[:, 0])
    ratio = (distribution.log_prob(drawn) - torch.tensor(rows.log_density)).exp()
    bounded = ratio.clamp(1 - CLIP, 1 + CLIP)
    policy = -torch.min(ratio * advantages, bounded * advantages).mean()
    values, returns = twin.critic(inputs)[:, 0], torch.tensor(rows.returns)
    squares = (values - returns).square()
    if settings.value_clip:
        old = torch.tensor(rows.values)
        near = old + (values - old).clamp(-settings.value_clip, settings.value_clip)
        squares = torch.max(squares, (near - returns).square())
    entropy = distribution.entropy().mean()
    value = settings.value_weight * 0.5 * squares.mean()
    found = policy + value - settings.entropy_weight * entropy
    if rows.reference is not None:
        found = found + NEAR_WEIGHT * divergence_in_torch(distribution, rows)
    return found


def divergence_in_torch(distribution: Any, rows: Rows) -> torch.Tensor:
    given = torch.tensor(rows.reference)
    if isinstance(distribution, torch.distributions.Categorical):
        other: Any = torch.distributions.Categorical(logits=given)
    else:
        normal = torch.distributions.Normal(given[:, :3], given[:, 3:].exp())
        other = torch.distributions.Independent(normal, 1)
    return torch.distributions.kl_divergence(distribution, other).mean()


@pytest.mark.parametrize("kind", ["choices", "normal"])
@pytest.mark.parametrize(("value_clip", "is_near"), [(0.0, False), (0.2, False), (0.2, True)])
def test_loss_and_gradient_are_those_of_autograd(
    kind: str, value_clip: float, is_near: bool
) -> None:
    policy = networks(kind)
    rows = rows_of(policy)
    if is_near:
        size = 3 if kind == "choices" else 6
        rows = replace(rows, reference=np.random.default_rng(3).normal(size=(COUNT, size)))
    settings = PpoConfig(entropy_weight=0.05, value_weight=0.7, value_clip=value_clip)
    ours = surrogate_gradient(policy, rows, settings, CLIP, NEAR_WEIGHT)
    twin = Twin(policy)
    theirs = loss_in_torch(twin, rows, settings)
    theirs.backward()
    assert ours.total == pytest.approx(theirs.item(), abs=1e-10)
    np.testing.assert_allclose(policy.gradient, twin.gradient(), atol=1e-10)
    assert 0.1 < ours.clipped < 0.9 and ours.kl > 0


def test_a_fresh_policy_has_the_ratio_1() -> None:
    policy = networks("normal")
    loss = surrogate_gradient(policy, rows_of(policy, spread=0.0), PpoConfig(), CLIP)
    assert loss.kl == 0.0 and loss.clipped == 0.0


class Silent(Logger):
    def __init__(self) -> None:
        super().__init__(None, [])


def test_one_minibatch_of_stable_baselines3_has_the_same_gradient() -> None:
    env = gymnasium.make("Pendulum-v1")
    model = PPO(
        "MlpPolicy",
        env,
        **{"n_steps": COUNT, "batch_size": COUNT, "n_epochs": 1, "ent_coef": 0.01},
        **{"normalize_advantage": False, "max_grad_norm": 1e9, "device": "cpu", "seed": 0},
    )
    model.set_logger(Silent())
    their = model.policy
    ours = ActorCritic(
        3, 1, DiagonalNormal(1), deviations=1, hidden=(64, 64), rng=np.random.default_rng(0)
    )
    draw = np.random.default_rng(2)
    with torch.no_grad():
        their.log_std.fill_(-0.3)
        for parameter in their.parameters():
            noise = draw.normal(size=parameter.shape)
            parameter.add_(torch.tensor(0.05 * noise, dtype=torch.float32))
    actor = [*their.mlp_extractor.policy_net.parameters(), *their.action_net.parameters()]
    critic = [*their.mlp_extractor.value_net.parameters(), *their.value_net.parameters()]
    parts = [*actor, their.log_std, *critic]
    ours.values[:] = np.concatenate([p.detach().numpy().ravel() for p in parts])
    inputs = draw.normal(size=(COUNT, 3)).astype(np.float32)
    drawn = draw.normal(size=(COUNT, 1)).astype(np.float32)
    density, advantages, returns = draw.normal(size=(3, COUNT)).astype(np.float32)
    density = density * 0.2 - 1.0
    fill(model.rollout_buffer, inputs, drawn, density, advantages, returns)
    model.train()
    rows = Rows(inputs, drawn, density, np.zeros(COUNT, np.float32), advantages, returns)
    # Their value loss lacks the half, which their weight of 0.5 makes up for.
    surrogate_gradient(ours, rows, PpoConfig(entropy_weight=0.01, value_weight=1.0), CLIP)
    theirs = np.concatenate([p.grad.numpy().ravel() for p in parts])
    np.testing.assert_allclose(ours.gradient, theirs, atol=1e-5)


def fill(buffer: Any, inputs: Any, drawn: Any, density: Any, advantages: Any, returns: Any) -> None:
    buffer.reset()
    for row in range(COUNT):
        buffer.add(
            *(inputs[row : row + 1], drawn[row : row + 1], np.zeros(1), np.zeros(1)),
            *(torch.zeros(1), torch.tensor(density[row : row + 1])),
        )
    buffer.advantages[:, 0], buffer.returns[:, 0] = advantages, returns


def test_single_precision_agrees_to_a_hundred_thousandth() -> None:
    double, single = networks("normal"), networks("normal", np.float32)
    single.values[:] = double.values
    rows = rows_of(double)
    settings = PpoConfig(entropy_weight=0.01)
    surrogate_gradient(double, rows, settings, CLIP)
    columns = (getattr(rows, name) for name in Rows.__dataclass_fields__)
    narrow = Rows(*(None if each is None else each.astype(np.float32) for each in columns))
    surrogate_gradient(single, narrow, settings, CLIP)
    np.testing.assert_allclose(single.gradient, double.gradient, atol=1e-5)


def test_an_update_ends_where_the_policy_has_moved_too_far(
    corridor: Any, quick: ReinforcementConfig
) -> None:
    values = {"ppo.target_kl": 1e-6, "ppo.learning_rate": 0.05, "ppo.epochs": 50}
    run = Ppo(quick.with_values(values), make_stepper(corridor, {}, 3))
    figures = run.iterate(1)
    assert run.arrays()["both_steps"] < 10
    assert figures["kl"] > 1.5e-6


def test_the_first_pass_knows_the_policy_that_acted(
    corridor: Any, quick: ReinforcementConfig
) -> None:
    # Although the observations' statistics change from iteration to iteration.
    values = {"ppo.epochs": 1, "ppo.minibatch": 90, "ppo.learning_rate": 0.01}
    run = Ppo(quick.with_values(values), make_stepper(corridor, {}, 3))
    for number in range(1, 5):
        figures = run.iterate(number)
        assert abs(figures["kl"]) < 1e-6
        assert figures["clipped"] == 0.0


def test_what_is_cut_off_is_worth_what_would_have_followed(
    endless: Any, quick: ReinforcementConfig
) -> None:
    # With a cut for an end it would be worth (1 - 0.9^10) / 0.1 = 6.5 at most.
    values = {"discount": 0.9, "scale_rewards": False, "steps": 10_000, "ppo.epochs": 10}
    rates = {"ppo.learning_rate": 3e-3, "ppo.learning_rate_schedule": "constant"}
    run = Ppo(quick.with_values({**values, **rates}), make_stepper(endless, {}, 3))
    for number in range(1, 61):
        run.iterate(number)
    rows = np.random.default_rng(0).uniform(-1, 1, (100, 2)).astype(np.float32)
    worth = run.networks.value(run.scaling.inputs(rows)).mean()
    assert worth == pytest.approx(1 / (1 - 0.9), rel=0.05)


def test_rates_fall_over_the_run(corridor: Any, quick: ReinforcementConfig) -> None:
    run = Ppo(quick, make_stepper(corridor, {}, 3))
    rates = [run.iterate(number)["learning_rate"] for number in range(1, 8)]
    start = quick.ppo.learning_rate
    np.testing.assert_allclose(rates, [start * max(0.0, 1 - 90 * k / 600) for k in range(7)])
