"""How good a policy is during training: its loss on held-out episodes, and its success rate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.learning.training.batches import Batches
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.precision import autocast
from robot_learning.policies.policy import Policy

_log = logging.getLogger(__name__)
_SEED = 7
# Returns the share of simulated episodes in which a policy succeeds.
Rollout = Callable[[Policy], float]


class Validator:
    """Evaluates policies on held-out episodes, and in simulation if there is one."""

    def __init__(
        self,
        dataset: Dataset | None,
        config: TrainConfig,
        device: torch.device,
        rollout: Rollout | None,
    ) -> None:
        """Read the held-out episodes; without a usable window in them no loss is computed."""
        self._config = config
        self._device = device
        self._rollout = rollout
        self._batches: Batches | None = None
        if dataset is not None:
            # All rows of held-out episodes are used, whatever part of the others is trained on.
            try:
                self._batches = Batches(dataset, replace(config.data, rows_per_episode=0), device)
            except DatasetError as problem:
                _log.warning("no validation: %s", problem)

    def figures(self, policy: Policy) -> dict[str, float]:
        """`loss` and `success` of a policy in evaluation mode, as far as they can be computed."""
        found = {}
        if self._batches is not None:
            found["loss"] = self._loss(policy, self._batches)
        if self._rollout is not None:
            found["success"] = self._rollout(policy)
        return found

    @torch.no_grad()
    def _loss(self, policy: Policy, batches: Batches) -> float:
        size = self._config.batch_size
        count = min(len(batches), size * self._config.validation.batches)
        # Spread evenly over the held-out rows, the same every time.
        chosen = torch.linspace(0, len(batches) - 1, count).round().long()
        total = weight = 0.0
        for number, indices in enumerate(torch.split(chosen, size)):
            generator = torch.Generator(self._device).manual_seed(_SEED + number)
            with autocast(self._device, self._config.compute.precision):
                per_sample = policy.loss(batches.batch(indices), generator).per_sample
            weights = batches.weights[indices.to(batches.weights.device)]
            total += float((per_sample.float() * weights).sum())
            weight += float(weights.sum())
        return total / max(weight, 1e-12)


def is_better(figures: Mapping[str, float], best: Mapping[str, float]) -> bool:
    """Whether a checkpoint is better: its success is at least as high.

    Without success its loss decides, and without either the newer one is better. Success over
    few episodes soon reaches its ceiling, and the validation loss then says little about it
    (Mandlekar et al. 2021, https://arxiv.org/abs/2108.03298, section 5.3): it is lowest long
    before the policy is at its best.
    """
    if "success" in figures and "success" in best:
        return figures["success"] >= best["success"]
    return is_progress(figures, best)


def is_progress(figures: Mapping[str, float], best: Mapping[str, float]) -> bool:
    """Whether patience starts over: higher success, equal success at lower loss, or no figures."""
    if not best or not figures:
        return True
    ours = figures.get("success", 0.0), -figures.get("loss", 0.0)
    return ours > (best.get("success", 0.0), -best.get("loss", 0.0))
