"""Fitting a reward to rankings: an ensemble trained in batches at once.

A network gives each step a reward; a segment's return is their sum. The loss of a network is the
mean negative log-likelihood of the comparisons, each ranking counted as often as the network drew
it (Efron 1979), which lets the networks disagree where the rankings say little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.comparisons import Comparisons, held_out_rankings
from robot_learning.learning.preferences.config import FitConfig
from robot_learning.learning.preferences.held_out import HeldOut, judged
from robot_learning.learning.preferences.learned_reward import LearnedReward
from robot_learning.learning.preferences.likelihoods import LIKELIHOODS
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.preferences.segments import Segments
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.threads import one_thread

Progress = Callable[[int, int], None]
_NETWORKS, _DRAWS = 23, 24
_SMALLEST_STD = 1e-6
_STEPS_PER_LOOK = 10


@dataclass(frozen=True)
class Fit:
    """A reward with what it came from.

    Attributes:
        reward: reward.
        held_out: how well it predicts the held-out rankings, which chose the step it is of.
        trained: number of rankings that it was fitted to.
        steps: number of gradient steps that were taken.
    """

    reward: LearnedReward
    held_out: HeldOut
    trained: int
    steps: int


def fit_reward(
    segments: Segments,
    rankings: Sequence[Ranking],
    config: FitConfig,
    progress: Progress | None = None,
) -> Fit:
    """Fit a reward.

    Args:
        segments: segments, by whose numbers the rankings name them.
        rankings: rankings.
        config: settings.
        progress: called with the gradient steps that are made and the most there are; None for
            nothing.

    Raises:
        ConfigurationError: there are too few rankings, or they say nothing.
        TrainingError: the loss is not finite.
    """
    is_held_out = held_out_rankings(len(rankings), config.held_out, config.seed)
    everything = Comparisons.of(rankings)
    held_out = everything.where(is_held_out[everything.ranking])
    training = everything.where(~is_held_out[everything.ranking])
    _refuse_ties(training, "to learn from")
    # The best weights are chosen by these.
    _refuse_ties(held_out, "held out")
    with one_thread():
        fitting = _Fitting(segments, training, held_out, len(rankings), config)
        steps = fitting.run(progress or _ignore)
        reward = fitting.reward()
    return Fit(
        reward, judged(reward, segments, held_out), int(np.count_nonzero(~is_held_out)), steps
    )


def _refuse_ties(part: Comparisons, purpose: str) -> None:
    if not part.decided.any():
        rankings = len(np.unique(part.ranking))
        raise ConfigurationError(
            f"{amount(rankings, 'ranking')} {purpose} and nothing but ties: rank more segments, or "
            "choose others to be held out with --seed"
        )


class _Compared:
    """Comparisons as tensors, of segments by their places among those that are used."""

    def __init__(self, comparisons: Comparisons, place: np.ndarray) -> None:
        self.first = torch.from_numpy(place[comparisons.first])
        self.second = torch.from_numpy(place[comparisons.second])
        self.outcome = torch.from_numpy(comparisons.outcome)
        self.weight = torch.from_numpy(comparisons.weight.astype(np.float32))
        self.ranking = comparisons.ranking


class _Fitting:
    def __init__(
        self,
        segments: Segments,
        training: Comparisons,
        held_out: Comparisons,
        rankings: int,
        config: FitConfig,
    ) -> None:
        self._config, self._columns = config, segments.columns
        self._likelihood = LIKELIHOODS[config.ties]
        inputs = segments.columns.step_inputs(segments.observations, segments.actions)
        flat = inputs.reshape(-1, inputs.shape[-1])
        self._mean, std = flat.mean(axis=0), flat.std(axis=0)
        self._std = np.where(std < _SMALLEST_STD, 1.0, std).astype(np.float32)
        self._all = torch.from_numpy((flat - self._mean) / self._std)
        used = np.unique(
            np.concatenate([c for p in (training, held_out) for c in (p.first, p.second)])
        )
        place = np.zeros(len(segments), np.int64)
        place[used] = np.arange(len(used))
        self._length = segments.length
        self._used = self._all.reshape(len(segments), self._length, -1)[used].flatten(0, 1)
        self._training, self._held_out = _Compared(training, place), _Compared(held_out, place)
        self._counts = self._drawn(training, rankings)
        self._start()

    def _drawn(self, training: Comparisons, rankings: int) -> torch.Tensor:
        """(E, M) how often each network drew the ranking of a comparison, times its weight."""
        own = np.unique(training.ranking)
        members, seeds = self._config.members, Seeds(self._config.seed)
        counts = np.zeros((members, rankings), np.float32)
        for member in range(members):
            draws = np.random.default_rng(seeds.of(_DRAWS, member)).choice(own, len(own))
            np.add.at(counts[member], draws, 1.0)
        # A single network learns from everything.
        if members == 1:
            counts[:] = 1.0
        return torch.from_numpy(counts[:, training.ranking]) * self._training.weight

    def _start(self) -> None:
        config = self._config
        generator = torch.Generator().manual_seed(Seeds(config.seed).of(_NETWORKS, 0))
        widths = (self._columns.inputs, *config.hidden, 1)
        self._weights = [
            torch.randn(config.members, o, i, generator=generator) / math.sqrt(i)
            for i, o in pairwise(widths)
        ]
        # Returns are sums of many steps: at first all segments are nearly as good as each other.
        self._weights[-1] /= self._length
        self._biases = [torch.zeros(config.members, 1, width) for width in widths[1:]]
        self._tie = torch.zeros(config.members, 1)
        self._parameters = [*self._weights, *self._biases, self._tie]
        for tensor in self._parameters:
            tensor.requires_grad_()

    def run(self, progress: Progress) -> int:
        """Train until no network becomes better; returns the number of steps."""
        config = self._config
        groups = [
            {"params": self._weights, "weight_decay": config.weight_decay},
            {"params": [*self._biases, self._tie], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, foreach=True)
        best = torch.full((config.members,), -math.inf)
        best_at = torch.zeros(config.members)
        kept = [tensor.detach().clone() for tensor in self._parameters]
        for step in range(config.steps + 1):
            if step % _STEPS_PER_LOOK == 0 or step == config.steps:
                found = self._held_out_likelihood()
                better = found > best
                best = torch.where(better, found, best)
                best_at[better] = step
                for own, tensor in zip(kept, self._parameters, strict=True):
                    own[better] = tensor.detach()[better]
                progress(step, config.steps)
                if step == config.steps or bool((step - best_at >= config.patience).all()):
                    break
            loss = self._loss()
            if not math.isfinite(loss.item()):
                raise TrainingError(
                    f"the loss of the reward is {loss.item()}; try a smaller learning_rate"
                )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            for own, tensor in zip(kept, self._parameters, strict=True):
                tensor.copy_(own)
        progress(config.steps, config.steps)
        return step

    @torch.no_grad()
    def reward(self) -> LearnedReward:
        """The reward, normalised over the steps of all segments."""
        raw = self._forward(self._all)
        return LearnedReward(
            self._columns,
            self._mean,
            self._std,
            tuple(weight.detach().numpy().copy() for weight in self._weights),
            tuple(bias.detach().numpy()[:, 0].copy() for bias in self._biases),
            raw.double().mean(dim=1).numpy(),
            raw.double().std(dim=1, correction=0).clamp(min=_SMALLEST_STD).numpy(),
            self._config.ties,
            self._tie.detach().double().numpy()[:, 0],
        )

    def _loss(self) -> torch.Tensor:
        likelihood = self._likelihood_of(self._training)
        return -(likelihood * self._counts).sum(dim=1).div(self._counts.sum(dim=1)).sum()

    @torch.no_grad()
    def _held_out_likelihood(self) -> torch.Tensor:
        """(E,) mean log-likelihood of the held-out rankings under each network."""
        part = self._held_out
        return (self._likelihood_of(part) * part.weight).sum(dim=1) / part.weight.sum()

    def _likelihood_of(self, part: _Compared) -> torch.Tensor:
        """(E, M) log-likelihoods."""
        rewards = self._forward(self._used)
        returns = rewards.reshape(len(rewards), -1, self._length).sum(dim=2)
        difference = returns[:, part.first] - returns[:, part.second]
        return self._likelihood(difference, part.outcome.expand(difference.shape), self._tie)

    def _forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(E, B) what the networks give for (B, I) normalised inputs."""
        values = inputs.expand(self._config.members, *inputs.shape)
        last = len(self._weights) - 1
        for number, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            values = torch.baddbmm(bias, values, weight.transpose(1, 2))
            if number < last:
                values = torch.tanh(values)
        return values[..., 0]


def _ignore(_done: int, _total: int) -> None:
    pass
