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
    told = torch.rand(5, 12, generator=torch.Generator().manual_seed(0))
    before = policy.logits(features, told)
    for position in range(12):
        other = told.clone()
        other[:, position] -= 0.5
        changed = (policy.logits(features, other) != before).any(dim=2)
        assert not changed[:, : position + 1].any()
        assert changed[:, position + 1 :].all()


@pytest.mark.parametrize("smallest_share", [0.0, 0.5])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_sampling_token_by_token_follows_the_likelihood(
    case: Any, temperature: float, smallest_share: float
) -> None:
    policy, batch = built(case, temperature=temperature, smallest_share=smallest_share)
    noise = policy.draw_noise(5, torch.Generator().manual_seed(0))
    normalized = policy.action_normalizer.normalize(policy.act(batch, noise))
    logits = policy.logits(policy.encoder(batch), policy.told(normalized))
    assert torch.equal(choose(policy.sharpened(logits), noise), policy.labels(normalized))


def test_bins_that_are_unlikely_beside_the_likeliest_are_not_drawn(case: Any) -> None:
    policy, _ = built(case, smallest_share=0.5)
    shares = torch.tensor([0.3, 0.14, 0.36, 0.19, 0.01])
    torch.testing.assert_close(
        policy.sharpened(shares.log()).softmax(-1), torch.tensor([0.3, 0, 0.36, 0.19, 0]) / 0.85
    )


@pytest.mark.parametrize("label_width_bins", [0.0, 1.5])
def test_the_last_step_of_a_chunk_is_told_first(case: Any, label_width_bins: float) -> None:
    policy, batch = built(case, label_width_bins=label_width_bins)
    targets, _ = policy.targets(batch)
    told = policy.told(targets)
    assert torch.equal(told[:, : targets.shape[2]], policy.told(targets[:, -1:]))
    there_and_back = policy.action_normalizer.normalize(policy.chunk(told))
    step = 0.0 if label_width_bins else 1 / 16
    torch.testing.assert_close(there_and_back, targets.clamp(-1, 1), atol=step + 1e-5, rtol=0)


def test_bins_and_their_middles(case: Any) -> None:
    policy, _ = built(case)
    edges = torch.tensor([-5.0, -1.0, -0.876, -0.874, 0.0, 0.999, 1.0, 7.0]).view(1, 1, 8)
    bins = torch.tensor([[0, 0, 0, 1, 8, 15, 15, 15]])
    assert torch.equal(policy.labels(edges), bins)
    torch.testing.assert_close(policy.told(edges), -1 + (bins + 0.5) / 8)


def test_where_labels_are_spread_the_middle_of_a_drawn_mode_is_answered(case: Any) -> None:
    policy, _ = built(case, bins=256, label_width_bins=2.0, smallest_share=0.5)
    # Two demonstrated values, in between bins and not equally often; the label's own spread.
    values, weights = torch.tensor([-0.431, 0.282]), torch.tensor([0.6, 0.4])
    middles = -1 + (torch.arange(256) + 0.5) / 128
    normal = torch.distributions.Normal(values, 2 / 128)
    shares = (normal.log_prob(middles[:, None]).exp() * weights).sum(dim=1)
    noise = torch.randn(2000, generator=torch.Generator().manual_seed(0))
    answers = policy._drawn(policy.sharpened(shares.log().expand(2000, -1)), noise)
    distance = (answers[:, None] - values).abs()
    assert distance.min(dim=1).values.max() < 0.5 / 128
    assert 0.3 < (distance.argmin(dim=1) == 1).float().mean() < 0.5


def test_the_loss_is_the_cross_entropy_of_the_logits(case: Any) -> None:
    policy, batch = built(case)
    targets, _ = policy.targets(batch)
    shares = policy.logits(policy.encoder(batch), policy.told(targets)).log_softmax(-1)
    found = shares.gather(2, policy.labels(targets)[..., None])[..., 0]
    assert_loss(policy, batch, -found)


def test_labels_are_spread_by_a_gaussian_round_the_action(case: Any) -> None:
    policy, batch = built(case, label_width_bins=1.5)
    targets, _ = policy.targets(batch)
    shares = policy.logits(policy.encoder(batch), policy.told(targets)).log_softmax(-1)
    middles = -1 + (torch.arange(16) + 0.5) / 8
    values = targets.clamp(-1, 1).flip(1).flatten(1)[..., None]
    spread = torch.distributions.Normal(values, 1.5 / 8).log_prob(middles).exp()
    spread = spread / spread.sum(dim=-1, keepdim=True)
    assert_loss(policy, batch, -(spread * shares).sum(dim=-1))


def assert_loss(
    policy: AutoregressivePolicy, batch: dict[str, torch.Tensor], per_token: torch.Tensor
) -> None:
    """The policy's loss is the mean over steps of the sums of `per_token` (B, L)."""
    per_step = per_token.unflatten(1, (policy.spec.action_steps, -1)).sum(dim=2)
    torch.testing.assert_close(
        policy.loss(batch).per_sample, per_step.mean(dim=1), atol=1e-3, rtol=1e-4
    )


def test_beyond_the_episode_the_last_action_is_told_and_learned(case: Any) -> None:
    policy, batch = built(case)
    held = {**batch, "action": batch["action"].clone()}
    held["action"][:, 2:] = batch["action"][:, 1:2]
    cut = {**batch, "action_is_pad": batch["action_is_pad"].clone()}
    cut["action_is_pad"][:, 2:] = True
    assert torch.equal(policy.loss(cut).per_sample, policy.loss(held).per_sample)
    cut["action_is_pad"][:] = True
    assert policy.loss(cut).per_sample.tolist() == [0.0] * 5


def test_what_has_no_label_may_be_left_out(case: Any) -> None:
    policy, batch = built(case, train_on_padding=False)
    cut = {**batch, "action_is_pad": batch["action_is_pad"].clone()}
    cut["action_is_pad"][:, 1] = True
    targets, is_pad = policy.targets(cut)
    logits = policy.logits(policy.encoder(cut), policy.told(targets)).flatten(0, 1)
    labels = policy.labels(targets).flatten(0, 1)
    per_token = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    per_step = per_token.view(*is_pad.shape, -1).sum(dim=-1)
    # Told from the last step to the first.
    counts = ~is_pad.flip(1)
    expected = (per_step * counts).sum(dim=1) / counts.sum(dim=1)
    torch.testing.assert_close(policy.loss(cut).per_sample, expected, atol=1e-4, rtol=1e-4)
