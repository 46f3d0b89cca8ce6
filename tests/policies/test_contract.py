"""What every family promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robot_learning.policies.checkpoint import CheckpointDetails, load_checkpoint, save_checkpoint
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.families import FAMILIES, family_named, make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.policies.statistics import MeasuredStatistics


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Chunks of one step cannot be halved, which a U-Net does.
SINGLE: dict[str, Any] = {"observation_steps": 1, "action_steps": 1}
SINGLE_OVERRIDES = {"diffusion": {"backbone": "transformer"}, "flow": {"backbone": "transformer"}}


def test_every_family_is_tested(case: Any) -> None:
    names = {"deterministic", "gaussian", "gmm", "rnn_gmm", "act", "autoregressive"}
    assert set(FAMILIES) == names | {"diffusion", "flow"}


@pytest.mark.parametrize("steps", [(1, 1), (3, 1), (1, 4), (2, 4)])
def test_loss_and_actions_have_the_promised_shapes(
    case: Any, family: str, steps: tuple[int, int]
) -> None:
    overrides = SINGLE_OVERRIDES.get(family, {}) if steps[1] == 1 else {}
    chosen = case(family, observation_steps=steps[0], action_steps=steps[1], overrides=overrides)
    policy, batch = chosen.policy(), chosen.batch()
    loss = policy.loss(batch, seeded())
    assert loss.per_sample.shape == (5,)
    assert torch.isfinite(loss.per_sample).all()
    assert all(not value.requires_grad and value.ndim == 0 for value in loss.metrics.values())
    actions = policy.eval().predict(batch, seeded())
    assert actions.shape == (5, chosen.spec.action_steps, 3)
    assert actions.dtype == torch.float32
    assert torch.isfinite(actions).all()


def test_images_with_and_without_other_columns(case: Any, family: str) -> None:
    for vectors in (True, False):
        chosen = case(family, images=True, vectors=vectors, samples=3)
        policy, batch = chosen.policy(), chosen.batch()
        policy.loss(batch, seeded()).per_sample.mean().backward()
        seen = [p.grad for name, p in policy.named_parameters() if "conv1" in name]
        assert seen and all(grad is not None and grad.abs().sum() > 0 for grad in seen)
        assert policy.eval().predict(batch, seeded()).shape == (3, policy.spec.action_steps, 3)


def test_equal_generators_give_equal_losses_and_actions(
    case: Any, family: str, is_deterministic: bool
) -> None:
    chosen = case(family, images=True)
    policy, batch = chosen.policy(), chosen.batch()
    losses = [policy.loss(batch, seeded(seed)).per_sample for seed in (1, 1, 2)]
    assert torch.equal(losses[0], losses[1])
    assert not torch.equal(losses[0], losses[2]), "the augmentation at least differs"
    policy.eval()
    actions = [policy.predict(batch, seeded(seed)) for seed in (1, 1, 2)]
    assert torch.equal(actions[0], actions[1])
    assert torch.equal(actions[0], actions[2]) == is_deterministic
    assert (policy.noise_shape == (0,)) == is_deterministic


def test_a_sample_does_not_depend_on_its_neighbours(case: Any, family: str) -> None:
    chosen = case(family, images=True)
    policy, batch = chosen.policy().eval(), chosen.batch()
    noise = policy.draw_noise(5, seeded())
    together = policy.act(batch, noise)
    for row in range(5):
        alone = {key: values[row : row + 1] for key, values in batch.items()}
        torch.testing.assert_close(
            policy.act(alone, noise[row : row + 1])[0], together[row], atol=1e-4, rtol=1e-4
        )


def test_what_is_loaded_is_what_was_saved(case: Any, family: str, tmp_path: Path) -> None:
    chosen = case(family, images=True)
    policy, batch = chosen.policy().eval(), chosen.batch()
    details = CheckpointDetails("arm", ("a", "b"), "lift", "12ab", {"steps": 3, "rate": 0.5})
    digest = save_checkpoint(tmp_path / "best", policy, details)
    found = load_checkpoint(tmp_path / "best")
    assert (found.details, found.digest) == (details, digest)
    assert (found.policy.spec, found.policy.config) == (policy.spec, policy.config)
    assert not found.policy.training
    assert torch.equal(found.policy.predict(batch, seeded()), policy.predict(batch, seeded()))
    ours, theirs = (p.loss(batch, seeded()).per_sample for p in (policy, found.policy))
    assert torch.equal(ours, theirs)
    assert all(p.requires_grad for p in found.policy.parameters())


def test_the_gradient_reaches_every_parameter(case: Any, family: str) -> None:
    chosen = case(family, images=True, samples=8)
    policy = chosen.policy().train()
    policy.loss(chosen.batch(), seeded()).per_sample.mean().backward()
    # Attention does not depend on its keys' bias. ACT's queries begin as zeros, so that in its
    # first decoder layer their attention to each other has no effect, by the paper's design.
    parts = ("key", "query", "value.weight", "out.weight")
    without_effect = tuple(f"decoder_layers.0.self_attention.{part}" for part in parts)
    for name, parameter in policy.named_parameters():
        if name.endswith("key.bias") or name.startswith(without_effect):
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("images", [False, True])
def test_no_parameter_that_is_trained_is_left_out(case: Any, family: str, images: bool) -> None:
    # Several processes that train together wait for the gradient of each.
    chosen = case(family, images=images)
    policy = chosen.policy().train()
    policy.loss(chosen.batch(), seeded()).per_sample.mean().backward()
    trained = [name for name, p in policy.named_parameters() if p.requires_grad]
    assert [name for name in trained if policy.get_parameter(name).grad is None] == []


def test_what_stands_in_padded_actions_has_no_effect(case: Any, family: str) -> None:
    chosen = case(family, observation_steps=4, action_steps=4)
    policy, batch = chosen.policy(), chosen.batch()
    batch["action_is_pad"][0, 2:] = True
    batch["action_is_pad"][1, :2] = True
    batch["action_is_pad"][2, 1] = True
    batch["action_is_pad"][3] = True
    before = policy.loss(batch, seeded()).per_sample
    assert torch.isfinite(before).all()
    other = dict(batch)
    other["action"] = batch["action"].clone()
    other["action"][batch["action_is_pad"]] = 1e3
    assert torch.equal(policy.loss(other, seeded()).per_sample, before)
    other["action"][:, 3] += 1.0
    changed = policy.loss(other, seeded()).per_sample != before
    assert changed.tolist() == [False, True, True, False, True]
    policy.loss(batch, seeded()).per_sample.mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in policy.parameters() if p.grad is not None)


@pytest.mark.parametrize("cut", [{"observation_margin": 0.1}, {"narrow_range": 1e6}])
def test_observations_far_outside_may_be_cut(case: Any, family: str, cut: dict[str, float]) -> None:
    chosen = case(family)
    policy, batch = chosen.policy(**cut).eval(), chosen.batch()
    batch["obs/q"][..., 0] = 1e3
    before = policy.predict(batch, seeded())
    batch["obs/q"][..., 0] = 1e6
    assert torch.equal(policy.predict(batch, seeded()), before)
    assert not torch.equal(chosen.policy().eval().predict(batch, seeded()), before)


def test_actions_come_out_in_the_units_they_went_in(case: Any, family: str) -> None:
    chosen = case(family)
    policy, batch = chosen.policy().eval(), chosen.batch()
    rng = np.random.default_rng(0)
    rows = 7 * rng.normal(1, 2, (300, 3)) + 5
    statistics = {**chosen.statistics, "action": MeasuredStatistics.of((rows - 5) / 7)}
    scaled = {**chosen.statistics, "action": MeasuredStatistics.of(rows)}
    predictions, losses = [], []
    for number, given in enumerate((statistics, scaled)):
        other = type(policy)(chosen.spec, given, policy.config).eval()
        weights = {k: v for k, v in policy.state_dict().items() if "action_normalizer" not in k}
        other.load_state_dict(weights, strict=False)
        predictions.append(other.predict(batch, seeded()))
        action = batch["action"] if number == 0 else 7 * batch["action"] + 5
        losses.append(other.loss({**batch, "action": action}, seeded()).per_sample)
    torch.testing.assert_close(7 * predictions[0] + 5, predictions[1], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(losses[0], losses[1], atol=1e-3, rtol=1e-3)


def test_discrete_actions_or_a_clear_refusal(case: Any, family: str) -> None:
    chosen = case(family, discrete=4)
    if family not in ("deterministic", "autoregressive"):
        with pytest.raises(PolicyError, match=f"'{family}' has no discrete actions"):
            chosen.policy()
        return
    policy, batch = chosen.policy(), chosen.batch()
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        policy.loss(batch, seeded()).per_sample.mean().backward()
        optimizer.step()
    actions = policy.eval().predict(batch, seeded())
    assert actions.dtype == torch.int64
    assert torch.equal(actions, batch["action"][..., 0].long()), "five samples are learned by heart"


def test_observations_that_do_not_fit_are_refused(case: Any, family: str) -> None:
    chosen = case(family)
    policy, batch = chosen.policy().eval(), chosen.batch()
    with pytest.raises(PolicyError, match=r"lacks 'obs/q'; it has obs/pose"):
        policy.predict({"obs/pose": batch["obs/pose"]})
    with pytest.raises(PolicyError, match=r"'obs/q' has the shape \(5, 2, 3\), not \('B', 2, 4\)"):
        policy.predict({**batch, "obs/q": batch["obs/q"][..., :3]})


def test_presets_build_and_the_reference_is_the_larger(family: str) -> None:
    found = family_named(family)
    sizes = []
    for horizons, overrides in (
        (found.horizons, {}),
        (found.reference_horizons, found.reference),
    ):
        spec = PolicySpec((ObservationSpec("q", (7,)),), 7, **vars(horizons))
        with torch.device("meta"):
            policy = make_policy(family, spec, None, overrides)
        sizes.append(sum(parameter.numel() for parameter in policy.parameters()))
    print(family, sizes)
    assert 50_000 < sizes[0] < sizes[1]
    assert sizes[0] < 6_000_000
