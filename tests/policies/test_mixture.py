"""Likelihoods against torch.distributions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from robot_learning.policies.categorical import choose
from robot_learning.policies.gaussian import GaussianPolicy
from robot_learning.policies.gmm import GmmPolicy
from robot_learning.policies.mixture import Mixture
from robot_learning.policies.rnn_gmm import RnnGmmPolicy


def some_mixture(*lead: int) -> tuple[Mixture, torch.Tensor]:
    torch.manual_seed(1)
    mean, std = torch.randn(*lead, 4, 3), torch.rand(*lead, 4, 3) + 0.1
    return Mixture(torch.randn(*lead, 4), mean, std), torch.randn(*lead, 3)


def reference(mixture: Mixture) -> MixtureSameFamily:
    parts = Independent(Normal(mixture.mean, mixture.std), 1)
    return MixtureSameFamily(Categorical(logits=mixture.logits), parts)


def test_density_is_that_of_torch() -> None:
    mixture, values = some_mixture(6, 2)
    torch.testing.assert_close(mixture.log_density(values), reference(mixture).log_prob(values))


def test_masked_dimensions_are_integrated_out() -> None:
    mixture, values = some_mixture(6)
    counts = torch.tensor([True, False, True]).expand(6, 3)
    marginal = Mixture(mixture.logits, mixture.mean[..., [0, 2]], mixture.std[..., [0, 2]])
    torch.testing.assert_close(
        mixture.log_density(values, counts), reference(marginal).log_prob(values[..., [0, 2]])
    )


def test_draws_follow_weights_means_and_deviations() -> None:
    mixture = Mixture(
        torch.tensor([0.2, 0.5, 0.3]).log(),
        torch.tensor([[-4.0, 0.0], [0.0, 1.0], [4.0, 2.0]]),
        torch.tensor([[0.1, 0.2], [0.3, 0.1], [0.2, 0.2]]),
    )
    count = 20_000
    many = Mixture(*(v.expand(count, *v.shape) for v in vars(mixture).values()))
    noise = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    drawn = many.draw(noise, with_deviation=True)
    component = (drawn[:, 0] + 2).div(4).ceil().long().clamp(0, 2)
    for number, weight in enumerate((0.2, 0.5, 0.3)):
        chosen = drawn[component == number]
        assert len(chosen) / count == pytest.approx(weight, abs=0.015)
        torch.testing.assert_close(chosen.mean(0), mixture.mean[number], atol=0.02, rtol=0)
        torch.testing.assert_close(chosen.std(0), mixture.std[number], atol=0.02, rtol=0)
    means = many.draw(noise, with_deviation=False)
    assert {tuple(row) for row in means.tolist()} == {tuple(m) for m in mixture.mean.tolist()}


def test_choose_takes_the_only_possible_one_and_never_another() -> None:
    logits = torch.full((3, 4), -torch.inf)
    logits[range(3), [0, 2, 3]] = 0.0
    for noise in (-8.0, -1.0, 0.0, 1.0, 8.0):
        assert choose(logits, torch.full((3,), noise)).tolist() == [0, 2, 3]


def test_losses_are_the_negative_log_likelihood_a_step(case: Any) -> None:
    for family in ("gaussian", "gmm", "rnn_gmm"):
        chosen = case(family, observation_steps=4)
        policy, batch = chosen.policy().eval(), chosen.batch()
        batch["action_is_pad"][0, :1] = True
        targets, _ = policy.targets(batch)
        if isinstance(policy, GaussianPolicy):
            steps = Independent(Normal(*policy.distribution(batch)), 1).log_prob(targets)
            wanted = torch.cat([steps[:1, 1:].mean(1), steps[1:].mean(1)])
        elif isinstance(policy, RnnGmmPolicy):
            steps = reference(policy.mixture(batch)).log_prob(targets)
            wanted = torch.cat([steps[:1, 1:].mean(1), steps[1:].mean(1)])
        else:
            assert isinstance(policy, GmmPolicy)
            whole = reference(policy.mixture(batch)).log_prob(targets.flatten(1)) / 4
            found = policy.mixture(batch)
            rest = Mixture(found.logits, found.mean[..., 3:], found.std[..., 3:])
            first = reference(rest).log_prob(targets.flatten(1)[:, 3:]) / 3
            wanted = torch.cat([first[:1], whole[1:]])
        torch.testing.assert_close(policy.loss(batch).per_sample, -wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_recurrence_stays_in_float32_on_the_cpu(case: Any, dtype: torch.dtype) -> None:
    chosen = case("rnn_gmm", observation_steps=4, images=True)
    policy, batch = chosen.policy(), chosen.batch()
    assert isinstance(policy, RnnGmmPolicy)
    seen = []
    policy.recurrence.register_forward_hook(lambda _, given, out: seen.extend([*given, out[0]]))
    exact = policy.loss(batch).per_sample
    with torch.autocast("cpu", dtype):
        loss = policy.loss(batch).per_sample
    loss.sum().backward()
    assert {value.dtype for value in seen} == {torch.float32}
    torch.testing.assert_close(loss.float(), exact, atol=0.1, rtol=0.05)
    assert all(torch.isfinite(p.grad).all() for p in policy.parameters() if p.requires_grad)


def test_the_recurrence_sees_no_later_observation(case: Any) -> None:
    chosen = case("rnn_gmm", observation_steps=4)
    policy, batch = chosen.policy().eval(), chosen.batch()
    assert isinstance(policy, RnnGmmPolicy)
    before = policy.mixture(batch).mean
    batch["obs/q"][:, 2] += 1.0
    changed = (policy.mixture(batch).mean != before).flatten(2).any(dim=2)
    assert changed.all(dim=0).tolist() == [False, False, True, True]
    assert not changed[:, :2].any()
