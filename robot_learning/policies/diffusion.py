"""Diffusion policy: a chunk is denoised from pure noise, given the history.

Chi et al. 2023 (https://arxiv.org/abs/2303.04137): the loss is
E ‖ε - ε_θ(√ᾱ_k x + √(1-ᾱ_k) ε, k, o)‖² over steps k of the squared-cosine schedule; inference
visits a few of them by DDIM. The chunk begins T_o - 1 steps before the current observation, and a
runner executes [T_o - 1 : T_o - 1 + executed_steps] of it. The exponential moving average of the
weights is the trainer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

from robot_learning.policies.denoising import DenoisingPolicy
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.family_configs import DiffusionConfig
from robot_learning.policies.guidance import Guidance
from robot_learning.policies.noise_schedule import (
    SamplingStep,
    ddim_steps,
    sampling_steps,
    squared_cosine,
)
from robot_learning.policies.policy import Loss, TensorBatch
from robot_learning.policies.randomness import integers, normal
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class DiffusionPolicy(DenoisingPolicy):
    """Chunks by denoising diffusion."""

    family = "diffusion"
    config: DiffusionConfig
    alphas: Tensor

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: DiffusionConfig
    ) -> None:
        """Build the networks; see `Policy`.

        Raises:
            PolicyError: also when inference has more steps than training, or actions are
                normalised beyond what is clipped.
        """
        super().__init__(spec, statistics, config)
        if config.clip:
            self.require_bounded_actions(f"clips chunks at {config.clip:g} (clip=0 does not)")
        if not 1 <= config.inference_steps <= config.train_steps:
            raise PolicyError(
                f"inference_steps is 1 to train_steps ({config.train_steps}), "
                f"not {config.inference_steps}"
            )
        alphas = squared_cosine(config.train_steps)
        self.register_buffer("alphas", torch.tensor(alphas))
        if config.sampler == "ddim":
            steps = ddim_steps(config.train_steps, config.inference_steps)
        else:
            steps = tuple(reversed(range(config.train_steps)))
        self.steps = sampling_steps(alphas, steps)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """The chunk to begin with; for DDPM also what each step but the last adds."""
        chunk = (self.spec.action_steps, self.spec.action_dim)
        return chunk if self.config.sampler == "ddim" else (len(self.steps), *chunk)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The squared error of the predicted noise (or chunk) at a random step of each sample."""
        clean, is_pad = self.targets(batch)
        condition = self.encoder(batch, self.training, generator)
        noise = normal(clean.shape, clean.device, generator)
        steps = integers(self.config.train_steps, clean.shape[:1], clean.device, generator)
        alpha = self.alphas[steps][:, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        predicted = self.network(noisy, self._time(steps), condition)
        target = noise if self.config.prediction == "noise" else clean
        return self.mean_error(predicted, target, is_pad)

    def sampling_times(self) -> Sequence[float]:
        """The steps, in a scale of 100."""
        return [step.step * 100.0 / self.config.train_steps for step in self.steps]

    def refine(
        self, noise: Tensor, modulations: list[list[Tensor]], guidance: Guidance | None
    ) -> Tensor:
        """Follow DDIM or DDPM.

        Args:
            noise: (B, *noise_shape) standard normal.
            modulations: what `network.run` takes, for each sampling step.
            guidance: what the chunk is held to, its target normalised; None for nothing.
        """
        noisy = noise if self.config.sampler == "ddim" else noise[:, 0]
        for number, (step, inputs) in enumerate(zip(self.steps, modulations, strict=True)):
            if guidance is None:
                clean, predicted_noise = self._prediction(noisy, step, inputs)
            else:
                clean, predicted_noise = self._guided(noisy, step, inputs, guidance)
            if self.config.sampler == "ddim":
                noisy = step.ddim(clean, predicted_noise)
            else:
                last = number == len(self.steps) - 1
                drawn = torch.zeros_like(noisy) if last else noise[:, number + 1]
                noisy = step.ddpm(noisy, clean, drawn)
        return noisy

    def _prediction(
        self, noisy: Tensor, step: SamplingStep, inputs: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Clean chunk, clipped, and noise. The noise is not made to fit the clipped chunk."""
        found = self.network.run(noisy, inputs)
        if self.config.prediction == "noise":
            return self._clipped(step.clean(noisy, found)), found
        return self._clipped(found), step.noise(noisy, self._clipped(found))

    def _guided(
        self, noisy: Tensor, step: SamplingStep, inputs: list[Tensor], guidance: Guidance
    ) -> tuple[Tensor, Tensor]:
        """The prediction, corrected by the gradient of the distance to the guidance's target.

        ε' = ε - √(1-ᾱ) min(β, 1/(1-ᾱ)) (y - x̂_0)ᵀ diag(w) ∂x̂_0/∂x: ΠGDM (Song et al. 2023)
        with the noise r² = 1-ᾱ; the counterpart of Black et al. 2025, equation 2.
        """
        with torch.enable_grad():
            inquiry = noisy.detach().requires_grad_()
            found = self.network.run(inquiry, inputs)
            is_noise = self.config.prediction == "noise"
            clean = step.clean(inquiry, found) if is_noise else found
            error = (guidance.target - clean).detach() * guidance.weights[:, None]
            (gradient,) = torch.autograd.grad((clean * error).sum(), inquiry)
        rest = 1 - step.alpha
        predicted = (found if is_noise else step.noise(noisy, found)).detach()
        corrected = predicted - sqrt(rest) * min(guidance.limit, 1 / rest) * gradient
        return self._clipped(step.clean(noisy, corrected)), corrected

    def _clipped(self, chunk: Tensor) -> Tensor:
        limit = self.config.clip
        return chunk.clamp(-limit, limit) if limit else chunk

    def _time(self, steps: Tensor) -> Tensor:
        return steps.to(self.alphas.dtype) * (100.0 / self.config.train_steps)
