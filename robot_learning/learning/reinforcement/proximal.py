"""PPO: several gradient steps on the same rows, as far as the policy stays near the one that acted.

With ρ = π(a|s) / π_old(a|s) the loss of a row is

    -min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) + c_v ½ (V - R)² - c_e H,    R = A + V_old,

and the divergence that is watched is E[(ρ - 1) - log ρ] (Schulman 2020), which is never negative.
Near a reference policy β KL(π‖π₀) is added.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.reinforcement.actor_critic import ActorCritic
from robot_learning.learning.reinforcement.config import PpoConfig, ReinforcementConfig
from robot_learning.learning.reinforcement.figures import explained_variance, refuse_bad_loss
from robot_learning.learning.reinforcement.judgement import ENVIRONMENT, Judgement, Sources
from robot_learning.learning.reinforcement.learner import Learner
from robot_learning.learning.reinforcement.returns import generalized_advantages, standardized
from robot_learning.learning.reinforcement.seed_streams import (
    ACTIONS,
    EPISODES,
    MINIBATCHES,
)
from robot_learning.learning.reinforcement.segments import Segment, SegmentCollector
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.training.perceptron import AdamW, Array

_ADAM_EPSILON = 1e-5
_KL_TOLERANCE = 1.5
_LEARNING_RATE = "ppo.learning_rate"


@dataclass(frozen=True)
class Rows:
    """B rows that an update learns from.

    Attributes:
        inputs: (B, D) normalised observations.
        drawn: (B, n) actions as they were drawn.
        log_density: (B,) their logarithmic densities under the policy that acted.
        values: (B,) values before the update.
        advantages: (B,) advantages.
        returns: (B,) what the values are regressed on.
        reference: (B, K) outputs of the policy to stay near to; None without one.
    """

    inputs: Array
    drawn: Array
    log_density: Array
    values: Array
    advantages: Array
    returns: Array
    reference: Array | None = None

    def __len__(self) -> int:
        """Number of rows B."""
        return len(self.inputs)

    def at(self, indices: Any) -> Rows:
        """Some of the rows."""
        return Rows(
            self.inputs[indices],
            self.drawn[indices],
            self.log_density[indices],
            self.values[indices],
            self.advantages[indices],
            self.returns[indices],
            None if self.reference is None else self.reference[indices],
        )


@dataclass(frozen=True)
class Loss:
    """What a minibatch gave.

    Attributes:
        total: the loss.
        policy: clipped surrogate.
        value: mean ½ (V - R)².
        entropy: mean entropy.
        kl: divergence from the policy that acted.
        clipped: share of the rows whose ratio was outside its bounds.
        reference_kl: mean divergence from the policy to stay near to; 0 without one.
    """

    total: float
    policy: float
    value: float
    entropy: float
    kl: float
    clipped: float
    reference_kl: float = 0.0


def surrogate_gradient(
    networks: ActorCritic, rows: Rows, settings: PpoConfig, clip: float, kl_weight: float = 0.0
) -> Loss:
    """Write the gradient of PPO's loss; the advantages are taken as they are.

    Args:
        networks: networks whose gradient is written.
        rows: rows of a minibatch.
        settings: weights of the loss's parts.
        clip: ε.
        kl_weight: β of the divergence from the reference policy; 0 for none.
    """
    share, dtype = 1.0 / len(rows), networks.values.dtype
    outputs = networks.actor.forward(rows.inputs)
    density = networks.distribution.log_density(outputs, networks.log_std, rows.drawn)
    log_ratio = density - rows.log_density
    ratio = np.exp(log_ratio)
    free = ratio * rows.advantages
    bounded = np.minimum(np.maximum(ratio, 1.0 - clip), 1.0 + clip) * rows.advantages
    # Where the bounded one is smaller, moving the ratio changes nothing.
    by_density = np.where(bounded < free, 0.0, -share * free).astype(dtype)
    back, by_log_std = networks.distribution.backward(
        outputs, networks.log_std, rows.drawn, by_density, -share * settings.entropy_weight
    )
    reference_kl = 0.0
    if rows.reference is not None:
        divergence, by_outputs, by_deviations = networks.distribution.divergence(
            outputs, networks.log_std, rows.reference
        )
        reference_kl, factor = float(divergence.mean()), kl_weight * share
        back = back + factor * by_outputs
        by_log_std = by_log_std + factor * by_deviations.sum(axis=0)
    networks.actor.backward(np.asarray(back, dtype))
    networks.log_std_gradient[:] = by_log_std
    value = _value_gradient(networks, rows, settings)
    policy = -_mean(np.minimum(free, bounded))
    entropy = _mean(networks.distribution.entropy(outputs, networks.log_std))
    total = policy + settings.value_weight * value - settings.entropy_weight * entropy
    total += kl_weight * reference_kl
    # In double precision and without a difference of near ones: both nearly vanish here.
    precise = log_ratio.astype(np.float64)
    kl = _mean(np.expm1(precise) - precise)
    clipped = np.count_nonzero(np.abs(ratio - 1.0) > clip) / len(rows)
    return Loss(total, policy, value, entropy, kl, clipped, reference_kl)


def _value_gradient(networks: ActorCritic, rows: Rows, settings: PpoConfig) -> float:
    values = networks.value(rows.inputs)
    difference = values - rows.returns
    squares, factor = difference * difference, settings.value_weight / len(rows)
    if settings.value_clip:
        limit = settings.value_clip
        near = rows.values + np.clip(values - rows.values, -limit, limit)
        far = (near - rows.returns) ** 2
        active = np.where(far > squares, np.abs(values - rows.values) <= limit, 1.0)
        difference = active * np.where(far > squares, near - rows.returns, difference)
        squares = np.maximum(squares, far)
    networks.critic.backward((factor * difference).astype(networks.values.dtype)[:, None])
    return 0.5 * _mean(squares)


def _mean(values: Array) -> float:
    """Their mean; NumPy's own takes several times as long for the rows of a minibatch."""
    return float(np.add.reduce(values)) / len(values)


class Ppo(Learner):
    """A run of PPO."""

    def __init__(
        self, config: ReinforcementConfig, stepper: Stepper, sources: Sources = ENVIRONMENT
    ) -> None:
        """Begin with new networks and an episode in every environment.

        Args:
            config: settings.
            stepper: environments.
            sources: what is learned from beside the environment.
        """
        super().__init__(config, stepper, reward_streams=stepper.count)
        self._judgement = Judgement(config, sources, stepper.count)
        self._optimizer = AdamW(
            self.networks.values,
            epsilon=_ADAM_EPSILON,
            gradient_clip=config.ppo.gradient_clip,
        )
        self._collector = SegmentCollector(stepper, lambda n: self._seeds.of(EPISODES, int(n)))

    def iterate(self, iteration: int) -> dict[str, Any]:
        """Collect a segment and learn from it; returns the figures by their names.

        Args:
            iteration: number of the iteration, from 1, from which all draws follow.

        Raises:
            TrainingError: a reward or a loss is not finite.
        """
        self.scaling = self._scaling_now()
        draws = np.random.default_rng(self._seeds.of(ACTIONS, iteration))
        segment = self._collector.collect(
            self.networks, self.scaling, self._config.ppo.steps, draws
        )
        share_left = 1.0 - self.steps / self._config.steps
        judged, learned = self._judgement.judged(segment, self.scaling)
        figures = {**learned, **self._update(self._rows(judged), iteration, share_left)}
        if self._config.normalize_observations:
            self._moments.add(segment.observations[segment.is_transition])
        self.steps += int(np.count_nonzero(segment.is_transition))
        self.episodes += segment.ended
        return {**segment.outcomes, **figures}

    def arrays(self) -> dict[str, FloatArray]:
        """Everything that the next iterations depend on."""
        return {
            **super().arrays(),
            **self._optimizer.arrays("both"),
            **self._collector.arrays(),
            **self._judgement.arrays(),
        }

    def restore(self, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        super().restore(arrays)
        self._optimizer.restore("both", arrays)
        self._collector.restore(arrays)
        self._judgement.restore(arrays)

    def _rows(self, segment: Segment) -> Rows:
        config = self._config
        ended = segment.terminated | segment.truncated
        rewards = self._rewards.scaled(segment.rewards, ended)
        segment = self._judgement.continued(segment, rewards)
        advantages = generalized_advantages(
            rewards,
            segment.values,
            segment.next_values,
            segment.terminated,
            segment.truncated,
            discount=config.discount,
            decay=config.ppo.decay,
        )
        kept, dtype = segment.is_transition, self.networks.values.dtype
        reference = self._judgement.reference(segment)
        return Rows(
            segment.inputs[kept],
            segment.drawn[kept],
            segment.log_density[kept],
            segment.values[kept].astype(dtype),
            advantages[kept].astype(dtype),
            (advantages + segment.values)[kept].astype(dtype),
            None if reference is None else reference[kept].astype(dtype),
        )

    def _update(self, rows: Rows, iteration: int, share_left: float) -> dict[str, Any]:
        settings, networks = self._config.ppo, self.networks
        rate = _scheduled(settings.learning_rate, settings.learning_rate_schedule, share_left)
        clip = _scheduled(settings.clip, settings.clip_schedule, share_left)
        draws = np.random.default_rng(self._seeds.of(MINIBATCHES, iteration))
        if settings.normalize_advantages == "batch":
            rows = _with_advantages(rows, standardized(rows.advantages))
        losses, norms = [], []
        for part in self._minibatches(rows, draws):
            loss = surrogate_gradient(networks, part, settings, clip, self._judgement.weight)
            refuse_bad_loss({"the loss": loss.total}, _LEARNING_RATE)
            losses.append(loss)
            if settings.target_kl and loss.kl > _KL_TOLERANCE * settings.target_kl:
                break
            norms.append(math.sqrt(float(np.vdot(networks.gradient, networks.gradient))))
            self._optimizer.step(networks.gradient, rate)
            networks.bound_deviations()
        figures = {
            "entropy": float(np.mean([loss.entropy for loss in losses])),
            "value_loss": float(np.mean([loss.value for loss in losses])),
            "kl": losses[-1].kl,
            "clipped": float(np.mean([loss.clipped for loss in losses])),
            "gradient_norm": float(np.mean(norms or [0.0])),
            "learning_rate": rate,
        }
        figures.update(
            self._judgement.adapt(float(np.mean([loss.reference_kl for loss in losses])))
        )
        refuse_bad_loss(figures, _LEARNING_RATE)
        variance = explained_variance(rows.values, rows.returns)
        return figures if variance is None else {**figures, "explained_variance": variance}

    def _minibatches(self, rows: Rows, draws: np.random.Generator) -> Any:
        settings = self._config.ppo
        for _ in range(settings.epochs):
            shuffled = rows.at(draws.permutation(len(rows)))
            for begin in range(0, len(rows), settings.minibatch):
                part = shuffled.at(slice(begin, begin + settings.minibatch))
                if settings.normalize_advantages == "minibatch":
                    part = _with_advantages(part, standardized(part.advantages))
                yield part


def _with_advantages(rows: Rows, advantages: Array) -> Rows:
    return replace(rows, advantages=advantages)


def _scheduled(value: float, schedule: str, share_left: float) -> float:
    return value * max(0.0, share_left) if schedule == "linear" else value
