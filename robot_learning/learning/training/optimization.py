"""The optimiser, its schedule, and the moving average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import torch

from robot_learning.learning.training.config import EmaConfig, OptimizerConfig
from robot_learning.policies.policy import Policy


def make_optimizer(
    parameters: Iterable[torch.nn.Parameter], config: OptimizerConfig
) -> torch.optim.AdamW:
    """AdamW, fused into one pass on one device, which halves its time for small networks."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    kinds = {parameter.device.type for parameter in trained}
    return torch.optim.AdamW(
        trained,
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=kinds <= {"cpu", "cuda"},
    )


def learning_rate_at(step: int, total_steps: int, config: OptimizerConfig) -> float:
    """The learning rate of a step: a linear warm-up, times a half cosine down to 0 or a constant.

    Args:
        step: number of the step, from 0.
        total_steps: number of steps of the training, over which the cosine falls.
        config: peak learning rate, length of the warm-up and kind of schedule.
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.schedule == "constant":
        return config.learning_rate * warm
    share = step / max(1, total_steps)
    return config.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * share))


class MovingAverage:
    """Weights averaged over the steps, in a copy of the policy; see `EmaConfig`."""

    def __init__(self, policy: Policy, config: EmaConfig) -> None:
        """Begin with the policy's own weights."""
        self._config = config
        self.policy = copy.deepcopy(policy).eval().requires_grad_(False)
        self._source = [p.detach() for p in policy.parameters()]
        self._target: list[torch.Tensor] = list(self.policy.parameters())

    def update(self, step: int) -> None:
        """Take in the weights after step `step`, counted from 0."""
        decay = min(self._config.decay, 1.0 - (1.0 + step) ** -self._config.power)
        with torch.no_grad():
            torch._foreach_lerp_(self._target, self._source, 1.0 - decay)
