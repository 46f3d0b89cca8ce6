"""Chunks that go on from the previous one."""

from __future__ import annotations

from collections.abc import Callable
from math import e, exp
from typing import Any

import pytest
import torch

from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.diffusion import DiffusionPolicy
from robot_learning.policies.guidance import Guidance, guidance_weights


def test_weights_by_hand() -> None:
    shares = [3 / 4, 2 / 4, 1 / 4]
    soft = [share * (exp(share) - 1) / (e - 1) for share in shares]
    torch.testing.assert_close(
        guidance_weights(8, frozen_steps=2, overlap_steps=5),
        torch.tensor([1.0, 1.0, *soft, 0.0, 0.0, 0.0]),
    )
    assert guidance_weights(3, 0, 0).tolist() == [0, 0, 0]


def exact_network(policy: DenoisingPolicy) -> Callable[..., torch.Tensor]:
    """What the network says when it has learned actions of the distribution N(0, 1)."""
    times = iter(list(policy.sampling_times()) * 9)

    def run(chunk: torch.Tensor, modulations: Any) -> torch.Tensor:
        time = next(times) / 100
        if isinstance(policy, DiffusionPolicy):
            alpha = policy.alphas[round(time * policy.config.train_steps)]
            return (1 - alpha).sqrt() * chunk
        return (2 * time - 1) / (time**2 + (1 - time) ** 2) * chunk

    return run


@pytest.mark.parametrize("name", ["diffusion", "flow"])
def test_guided_chunks_begin_as_they_are_told(
    case: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = case(name, action_steps=8, overrides={"inference_steps": 10})
    policy, batch = chosen.policy().eval(), chosen.batch()
    assert isinstance(policy, DenoisingPolicy)
    monkeypatch.setattr(policy.network, "run", exact_network(policy))
    target = policy.to_actions(torch.full((5, 8, 3), 0.7))

    def distance(found: torch.Tensor) -> torch.Tensor:
        return (policy.action_normalizer.normalize(found) - 0.7).abs().mean(dim=(0, 2))

    def guided(weights: torch.Tensor) -> torch.Tensor:
        guidance, generator = Guidance(target, weights), torch.Generator().manual_seed(0)
        return distance(policy.predict_guided(batch, guidance, generator))

    free, held = guided(torch.zeros(8)), guided(guidance_weights(8, 3, 6))
    unguided = distance(policy.predict(batch, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(free, unguided)
    assert (held[:3] < 0.25 * free[:3]).all(), (held, free)
    assert (held[3:6] < free[3:6]).all(), (held, free)
    torch.testing.assert_close(held[6:], free[6:])
