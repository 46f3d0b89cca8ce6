"""Causality by perturbation, and sampling that agrees with the likelihood."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from robot_learning.policies.autoregressive import AutoregressivePolicy
from robot_learning.policies.categorical import choose


def built(case: Any, **overrides: Any) -> tuple[AutoregressivePolicy, dict[str, torch.Tensor]]:
    chosen = case("autoregressive")
    policy = chosen.policy(**overrides).eval()
    assert isinstance(policy, AutoregressivePolicy)
    return policy, chosen.batch()


def test_a_token_changes_the_logits_of_later_ones_only(case: Any) -> None:
    policy, batch = built(case)
    features = policy.encoder(batch)
    tokens = torch.randint(16, (5, 12), generator=torch.Generator().manual_seed(0))
    before = policy.logits(features, tokens)
    for position in range(12):
        other = tokens.clone()
        other[:, position] = (other[:, position] + 1) % 16
        changed = (policy.logits(features, other) != before).any(dim=2)
        assert not changed[:, : position + 1].any()
        assert changed[:, position + 1 :].all()


@pytest.mark.parametrize("head", ["softmax", "logistics"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampling_token_by_token_follows_the_likelihood(
    case: Any, temperature: float, head: str
) -> None:
    policy, batch = built(case, temperature=temperature, head=head)
    noise = policy.draw_noise(5, torch.Generator().manual_seed(0))
    normalized = policy.action_normalizer.normalize(policy.act(batch, noise))
    tokens = policy.to_tokens(normalized).flatten(1)
    logits = policy.logits(policy.encoder(batch), tokens)
    assert torch.equal(choose(logits / temperature, noise), tokens)


def test_bins_and_their_middles(case: Any) -> None:
    policy, _ = built(case)
    edges = torch.tensor([-5.0, -1.0, -0.876, -0.874, 0.0, 0.999, 1.0, 7.0])
    assert policy.to_tokens(edges).tolist() == [0, 0, 0, 1, 8, 15, 15, 15]
    tokens = torch.arange(12).expand(5, 12)
    middles = policy.action_normalizer.normalize(policy.from_tokens(tokens))
    torch.testing.assert_close(
        middles.flatten(1)[0], -1 + (torch.arange(12) + 0.5) / 8, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("head", ["softmax", "logistics"])
def test_the_loss_is_the_cross_entropy_of_the_logits(case: Any, head: str) -> None:
    policy, batch = built(case, head=head)
    targets, is_pad = policy.targets(batch)
    tokens = policy.to_tokens(targets)
    shares = policy.logits(policy.encoder(batch), tokens.flatten(1)).log_softmax(-1)
    found = shares.gather(2, tokens.flatten(1)[..., None])[..., 0].unflatten(1, tokens.shape[1:])
    per_step = -found.sum(dim=2)
    expected = (per_step * ~is_pad).sum(dim=1) / (~is_pad).sum(dim=1)
    torch.testing.assert_close(policy.loss(batch).per_sample, expected, atol=1e-3, rtol=1e-4)
