"""Flow matching: a chunk moves along a learned velocity from noise to an action chunk.

Lipman et al. 2023 (https://arxiv.org/abs/2210.02747) with straight paths (Liu et al. 2023,
https://arxiv.org/abs/2209.03003): x_τ = (1-τ) ε + τ x, the loss is
E ‖v_θ(x_τ, τ, o) - (x - ε)‖², and inference integrates v from τ = 0 to 1 in a few steps of Euler.
Network and chunk as in diffusion.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.family_configs import FlowConfig
from robot_learning.policies.guidance import Guidance
from robot_learning.policies.policy import Loss, TensorBatch
from robot_learning.policies.randomness import normal, uniform


class FlowPolicy(DenoisingPolicy):
    """Chunks by flow matching."""

    family = "flow"
    config: FlowConfig

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The squared error of the velocity at a random time of each sample."""
        clean, is_pad = self.targets(batch)
        condition = self.encoder(batch, self.training, generator)
        noise = normal(clean.shape, clean.device, generator)
        time = uniform(clean.shape[:1], clean.device, generator)
        between = torch.lerp(noise, clean, time[:, None, None])
        predicted = self.network(between, 100.0 * time, condition)
        return self.mean_error(predicted, clean - noise, is_pad)

    def sampling_times(self) -> Sequence[float]:
        """Evenly spaced, from 0."""
        steps = self.config.inference_steps
        return [100.0 * number / steps for number in range(steps)]

    def refine(
        self, noise: Tensor, modulations: list[list[Tensor]], guidance: Guidance | None
    ) -> Tensor:
        """Follow the velocity by Euler's method.

        Args:
            noise: (B, *noise_shape) standard normal.
            modulations: what `network.run` takes, for each sampling step.
            guidance: what the chunk is held to, its target normalised; None for nothing.
        """
        chunk, steps = noise, self.config.inference_steps
        for number, inputs in enumerate(modulations):
            if guidance is None:
                velocity = self.network.run(chunk, inputs)
            else:
                velocity = self._guided(chunk, number / steps, inputs, guidance)
            chunk = chunk + velocity / steps
        return chunk

    def _guided(
        self, chunk: Tensor, time: float, inputs: list[Tensor], guidance: Guidance
    ) -> Tensor:
        """The velocity, corrected as in Black et al. 2025, equations 2 to 4.

        v + min(β, (1-τ)/(τ r²)) (y - x̂_1)ᵀ diag(w) ∂x̂_1/∂x_τ, with x̂_1 = x_τ + (1-τ) v and
        r² = (1-τ)² / (τ² + (1-τ)²).
        """
        with torch.enable_grad():
            inquiry = chunk.detach().requires_grad_()
            velocity = self.network.run(inquiry, inputs)
            final = inquiry + (1 - time) * velocity
            error = (guidance.target - final).detach() * guidance.weights[:, None]
            (gradient,) = torch.autograd.grad((final * error).sum(), inquiry)
        factor = guidance.limit
        if time > 0:
            factor = min(factor, (time**2 + (1 - time) ** 2) / (time * (1 - time)))
        return velocity.detach() + factor * gradient
