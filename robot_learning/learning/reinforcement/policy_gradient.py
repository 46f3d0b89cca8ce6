"""REINFORCE: the return of a whole episode, the return to go, a learned baseline, each a switch.

The gradient of the expected return is E[Σ_t Ψ_t ∇ log π(a_t|s_t)] (Williams 1992). With Ψ_t the
return of the whole episode it is right and noisy. What came before an action does not depend on it:
the return to go has less variance, and without a discount the same expectation. With one, the
discounted return of the whole episode holds γ^t times the return to go of step t, so that it weighs
an action at step t only γ^t times as much. A baseline b(s_t) does not depend on the action either:
Ψ_t = G_t - b(s_t) has the same expectation as G_t, and the less variance the better b predicts the
return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.actor_critic import ActorCritic
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.episodes import Episode, play
from robot_learning.learning.reinforcement.figures import (
    episode_figures,
    explained_variance,
    refuse_bad_loss,
)
from robot_learning.learning.reinforcement.learner import Learner
from robot_learning.learning.reinforcement.returns import returns_to_go, standardized
from robot_learning.learning.reinforcement.seed_streams import ACTIONS, EPISODES
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.perceptron import AdamW, Array


def policy_gradient(
    networks: ActorCritic,
    inputs: Array,
    drawn: Array,
    signal: Array,
    *,
    weight: float,
    entropy_weight: float = 0.0,
) -> float:
    """Write the gradient of -weight · Σ (Ψ log π + entropy_weight · H) to the actor's part.

    Args:
        networks: actor whose gradient is written.
        inputs: (B, D) normalised observations.
        drawn: (B, n) actions as they were drawn.
        signal: (B,) Ψ.
        weight: weight of each row, such as 1 / B.
        entropy_weight: weight of the entropy.

    Returns:
        The mean entropy.
    """
    outputs = networks.actor.forward(inputs)
    by_density = np.asarray(-weight * signal, outputs.dtype)
    back, by_log_std = networks.distribution.backward(
        outputs, networks.log_std, drawn, by_density, -weight * entropy_weight
    )
    networks.actor.backward(back)
    networks.log_std_gradient[:] = by_log_std
    return float(networks.distribution.entropy(outputs, networks.log_std).mean())


def value_gradient(networks: ActorCritic, inputs: Array, targets: Array) -> float:
    """Write the gradient of the mean ½ (V - R)² to the critic's part; returns that mean."""
    difference = networks.value(inputs) - targets
    networks.critic.backward((difference / len(difference)).astype(networks.values.dtype)[:, None])
    return 0.5 * float(np.mean(difference * difference))


@dataclass(frozen=True)
class Batch:
    """The steps of whole episodes, one after another.

    Attributes:
        inputs: (B, D) normalised observations.
        drawn: (B, n) actions as they were drawn.
        to_go: (B,) returns to go, in scaled rewards.
        total: (B,) the return of the episode that a step belongs to.
        values: (B,) values of the observations before the update; zeros without a critic.
    """

    inputs: Float32Array
    drawn: Array
    to_go: FloatArray
    total: FloatArray
    values: FloatArray

    def signal(self, kind: str, baseline: str) -> FloatArray:
        """(B,) Ψ."""
        found = self.to_go if kind == "to_go" else self.total
        return found - self.values if baseline == "learned" else found


class Reinforce(Learner):
    """A run of REINFORCE."""

    def __init__(self, config: ReinforcementConfig, stepper: Stepper) -> None:
        """Begin with new networks."""
        super().__init__(config, stepper, reward_streams=1)
        settings = config.reinforce
        actor, critic = self.networks.actor_part, self.networks.critic_part
        clip = settings.gradient_clip
        self._actor_steps = AdamW(self.networks.values[actor], gradient_clip=clip)
        self._critic_steps = AdamW(self.networks.values[critic])

    def iterate(self, iteration: int) -> dict[str, Any]:
        """Play a batch and learn from it; returns the figures by their names.

        Args:
            iteration: number of the iteration, from 1; nothing here depends on it.

        Raises:
            TrainingError: a reward or a loss is not finite, or there is nothing to learn from.
        """
        del iteration
        self.scaling = self._scaling_now()
        episodes = self._play()
        batch = self._batch(episodes)
        figures = {"learning_rate": self._config.reinforce.learning_rate}
        if batch is not None:
            figures |= self._update(batch)
        if self._config.normalize_observations:
            self._moments.add(np.concatenate([each.observations for each in episodes]))
        self.episodes += len(episodes)
        self.steps += sum(map(len, episodes))
        return {**episode_figures(episodes), **figures}

    def arrays(self) -> dict[str, FloatArray]:
        """Everything that the next iterations depend on."""
        return {
            **super().arrays(),
            **self._actor_steps.arrays("actor"),
            **self._critic_steps.arrays("critic"),
        }

    def restore(self, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        super().restore(arrays)
        self._actor_steps.restore("actor", arrays)
        self._critic_steps.restore("critic", arrays)

    def _play(self) -> list[Episode]:
        generators: dict[int, np.random.Generator] = {}

        def choose(rows: Float32Array, numbers: Sequence[int]) -> tuple[Array, Float32Array]:
            for number in numbers:
                if number not in generators:
                    seed = self._seeds.of(ACTIONS, number) if number >= 0 else 0
                    generators[number] = np.random.default_rng(seed)
            networks = self.networks
            distribution = networks.distribution
            noise = np.concatenate([distribution.noise(generators[n], 1) for n in numbers])
            outputs = networks.actor.forward(self.scaling.inputs(rows))
            drawn = distribution.sample(outputs, networks.log_std, noise)
            return drawn, self.scaling.actions(drawn)

        numbers = range(self.episodes, self.episodes + self._config.reinforce.episodes)
        return play(self._stepper, choose, numbers, lambda n: self._seeds.of(EPISODES, n))

    def _batch(self, episodes: Sequence[Episode]) -> Batch | None:
        """What is learned from; None where all episodes are left out, as a good policy's can be."""
        settings = self._config.reinforce
        scaled = self._scaled_rewards(episodes)
        if settings.truncation == "drop":
            kept = [k for k, episode in enumerate(episodes) if episode.terminated]
            episodes, scaled = [episodes[k] for k in kept], [scaled[k] for k in kept]
        if not episodes and self._actor_steps.steps:
            return None
        if not episodes:
            raise TrainingError(
                "every episode of the first batch was cut off by its time limit, and without a "
                "learned baseline nothing says what would have followed: give --baseline learned, "
                "or --set reinforce.truncated=end to take the limit for the end of the task"
            )
        inputs = self.scaling.inputs(np.concatenate([each.observations for each in episodes]))
        values = np.zeros(len(inputs))
        last_values = np.zeros(len(episodes))
        if settings.baseline == "learned":
            values = self.networks.value(inputs).astype(np.float64)
            last = self.scaling.inputs(np.array([each.last for each in episodes]))
            last_values = self.networks.value(last).astype(np.float64)
        to_go = [
            _to_go(episode, rewards, value, self._config)
            for episode, rewards, value in zip(episodes, scaled, last_values, strict=True)
        ]
        return Batch(
            inputs=inputs,
            drawn=np.concatenate([each.drawn for each in episodes]),
            to_go=np.concatenate(to_go),
            total=np.concatenate([np.full(len(each), each[0]) for each in to_go]),
            values=values,
        )

    def _scaled_rewards(self, episodes: Sequence[Episode]) -> list[FloatArray]:
        rewards = np.concatenate([each.rewards for each in episodes])
        ends = np.cumsum([len(each) for each in episodes])
        ended = np.zeros(len(rewards), np.bool_)
        ended[ends - 1] = True
        scaled = self._rewards.scaled(rewards[:, None], ended[:, None])[:, 0]
        return np.split(scaled, ends[:-1])

    def _update(self, batch: Batch) -> dict[str, Any]:
        settings, networks = self._config.reinforce, self.networks
        signal: Array = batch.signal(settings.signal, settings.baseline)
        if settings.normalize == "standardize":
            signal = standardized(signal)
        entropy = policy_gradient(
            networks,
            batch.inputs,
            batch.drawn,
            signal,
            weight=1.0 / len(signal),
            entropy_weight=settings.entropy_weight,
        )
        gradient = networks.gradient[networks.actor_part]
        norm = float(np.linalg.norm(gradient))
        self._actor_steps.step(gradient, settings.learning_rate)
        networks.bound_deviations()
        figures = {"entropy": entropy, "gradient_norm": norm}
        if settings.baseline == "learned":
            figures["value_loss"] = self._fit_baseline(batch)
            variance = explained_variance(batch.values, batch.to_go)
            if variance is not None:
                figures["explained_variance"] = variance
        refuse_bad_loss(figures, "reinforce.learning_rate")
        return figures

    def _fit_baseline(self, batch: Batch) -> float:
        """Regress the value on the returns, after they were used; the loss before the last pass."""
        networks, settings, loss = self.networks, self._config.reinforce, 0.0
        for _ in range(settings.value_epochs):
            loss = value_gradient(networks, batch.inputs, batch.to_go)
            self._critic_steps.step(
                networks.gradient[networks.critic_part], settings.value_learning_rate
            )
        return loss


def _to_go(
    episode: Episode, rewards: FloatArray, last_value: float, config: ReinforcementConfig
) -> FloatArray:
    is_over = episode.terminated or config.reinforce.truncation == "end"
    terminated = np.zeros(len(rewards), np.bool_)
    terminated[-1] = is_over
    next_values = np.full(len(rewards), last_value)
    return returns_to_go(
        rewards, terminated, np.zeros_like(terminated), next_values, config.discount
    )
