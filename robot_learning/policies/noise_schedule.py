"""The squared-cosine noise schedule, and steps of DDPM and DDIM, as closed forms.

A noisy chunk is x_k = √ᾱ_k x_0 + √(1-ᾱ_k) ε. Nichol and Dhariwal 2021
(https://arxiv.org/abs/2102.09672), equation 17; Ho et al. 2020 (https://arxiv.org/abs/2006.11239);
Song et al. 2021 (https://arxiv.org/abs/2010.02502). Numbers of a schedule are Python floats, so
that they are exact, need no device, and become constants of an exported policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sqrt

from torch import Tensor

_OFFSET = 0.008
_LARGEST_BETA = 0.999


def squared_cosine(steps: int) -> tuple[float, ...]:
    """ᾱ_0 … ᾱ_{steps-1}: cos² falling to nearly zero, each step's β at most 0.999."""

    def signal(time: float) -> float:
        return cos((time + _OFFSET) / (1 + _OFFSET) * pi / 2) ** 2

    # β_k = 1 - f((k+1)/K) / f(k/K), and ᾱ_k is the product of 1 - β up to k. Without the bound the
    # last ᾱ would be 0, by whose root a step divides.
    found, product = [], 1.0
    for step in range(steps):
        beta = min(1 - signal((step + 1) / steps) / signal(step / steps), _LARGEST_BETA)
        product *= 1 - beta
        found.append(product)
    return tuple(found)


def ddim_steps(train_steps: int, inference_steps: int) -> tuple[int, ...]:
    """The training steps that inference visits, falling, evenly spaced, ending at 0.

    The spacing is not rounded before it is multiplied: 51 steps of 100 would begin at 50, where
    half of the signal is left, with pure noise. Few steps begin late all the same, 4 at 75.
    """
    return tuple(train_steps * n // inference_steps for n in reversed(range(inference_steps)))


@dataclass(frozen=True)
class SamplingStep:
    """One step of a sampler, from x_k to x_{k'}.

    Attributes:
        step: training step k that the network is given.
        alpha: share ᾱ_k of the signal's power that is left in x_k.
        next_alpha: share ᾱ_{k'} that is left in x_{k'}; 1 at the last step, whose result has no
            noise.
    """

    step: int
    alpha: float
    next_alpha: float

    def clean(self, noisy: Tensor, noise: Tensor) -> Tensor:
        """x_0 = (x_k - √(1-ᾱ_k) ε) / √ᾱ_k."""
        return (noisy - sqrt(1 - self.alpha) * noise) / sqrt(self.alpha)

    def noise(self, noisy: Tensor, clean: Tensor) -> Tensor:
        """ε from x_k and x_0."""
        return (noisy - sqrt(self.alpha) * clean) / sqrt(1 - self.alpha)

    def ddim(self, clean: Tensor, noise: Tensor) -> Tensor:
        """x_{k'} = √ᾱ_{k'} x_0 + √(1-ᾱ_{k'}) ε: Song et al., equation 12 with σ = 0."""
        return sqrt(self.next_alpha) * clean + sqrt(1 - self.next_alpha) * noise

    def ddpm(self, noisy: Tensor, clean: Tensor, drawn: Tensor) -> Tensor:
        """x_{k-1} from the posterior q(x_{k-1} | x_k, x_0): Ho et al., equations 6 and 7.

        Args:
            noisy: noisy chunk x_k.
            clean: estimate of x_0.
            drawn: standard normal noise; zeros at the last step.
        """
        # α_k = ᾱ_k / ᾱ_{k-1}: the step's own share. The mean of the posterior mixes x_0 and x_k,
        # its variance is β̃_k, the smaller of the paper's two choices.
        step_alpha = self.alpha / self.next_alpha
        rest = 1 - self.alpha
        to_clean = sqrt(self.next_alpha) * (1 - step_alpha) / rest
        to_noisy = sqrt(step_alpha) * (1 - self.next_alpha) / rest
        variance = (1 - self.next_alpha) / rest * (1 - step_alpha)
        return to_clean * clean + to_noisy * noisy + sqrt(variance) * drawn


def sampling_steps(alphas: tuple[float, ...], steps: tuple[int, ...]) -> list[SamplingStep]:
    """The falling `steps` with their ᾱ and the next one's."""
    following = [alphas[step] for step in steps[1:]] + [1.0]
    return [SamplingStep(k, alphas[k], after) for k, after in zip(steps, following, strict=True)]
