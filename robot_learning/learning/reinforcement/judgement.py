"""What PPO learns from in place of the environment's rewards alone.

A learned reward replaces the environment's, which is only reported beside it. A reference policy
adds β KL(π‖π₀) to the loss, exactly; β doubles where the divergence is above 1.5 times its target
and halves where it is below the target by as much (Schulman et al. 2017, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.preferences.learned_reward import LearnedReward, load_reward
from robot_learning.learning.reinforcement.actor_critic import Scaling
from robot_learning.learning.reinforcement.config import PreferenceConfig, ReinforcementConfig
from robot_learning.learning.reinforcement.episodes import Episode
from robot_learning.learning.reinforcement.reference import ReferencePolicy
from robot_learning.learning.reinforcement.returns import discounted_sums
from robot_learning.learning.reinforcement.segment_rollouts import columns_of
from robot_learning.learning.reinforcement.segments import Segment
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.training.perceptron import Array

_TOLERANCE, _FACTOR = 1.5, 2.0
_WEIGHTS = (1e-4, 1e4)


@dataclass(frozen=True)
class Sources:
    """What a run learns from beside the environment.

    Attributes:
        reward: learned reward; None for the environment's.
        reference: policy to stay near to; None for none.
        digests: digests of both, which identify the run.
    """

    reward: LearnedReward | None
    reference: ReferencePolicy | None
    digests: Mapping[str, str]


ENVIRONMENT = Sources(None, None, {})
"""Nothing beside the environment."""


def load_sources(config: PreferenceConfig, stepper: Stepper) -> Sources:
    """Load what the settings name.

    Args:
        config: settings.
        stepper: environments, whose spaces must be those of both.

    Raises:
        RobotLearningError: something is missing, damaged, or of other spaces.
    """
    reward, reference, digests = None, None, dict[str, str]()
    if config.reward:
        reward, digests["reward_digest"] = load_reward(Path(config.reward))
        columns = columns_of(stepper.observations, stepper.actions)
        reward.columns.refuse_other(columns, f"--reward {config.reward}")
    if config.reference:
        reference = ReferencePolicy(
            config.reference, stepper.observations, stepper.actions, config.smallest_std
        )
        digests["reference_digest"] = reference.digest
    return Sources(reward, reference, digests)


class Judgement:
    """A run's reward, and its divergence from a reference policy.

    Attributes:
        weight: β of the divergence from the reference policy; 0 without one.
    """

    def __init__(self, config: ReinforcementConfig, sources: Sources, count: int) -> None:
        """Begin.

        Args:
            config: settings.
            sources: what they name.
            count: number of environments N.
        """
        self._config, self._discount = config.preference, config.discount
        self._reward, self._reference = sources.reward, sources.reference
        self._goes_on = self._reward is not None and self._config.ends == "bootstrap"
        self._returns: FloatArray = np.zeros(count)
        self._middle = math.nan
        self.weight = self._config.kl_weight if sources.reference else 0.0

    def judged(self, segment: Segment, scaling: Scaling) -> tuple[Segment, dict[str, Any]]:
        """A segment with the rewards that are learned from, and the figures of these.

        Where episodes go on for ever, a constant in the rewards changes no policy. What the first
        segment gets on average is then taken off, or the critic, which begins at 0, would take long
        to know it, and an end would be sought or shunned until then.

        Args:
            segment: segment with the environment's rewards.
            scaling: scaling that the policy acted with.
        """
        if self._reward is None:
            return segment, {}
        actions = scaling.actions(segment.drawn)
        flat = segment.observations.reshape(-1, segment.observations.shape[-1])
        rewards = self._reward.rewards(
            flat, actions.reshape(len(flat), -1), self._config.uncertainty_penalty
        ).reshape(segment.rewards.shape)
        rewards = np.where(segment.is_transition, rewards, 0.0)
        ended = segment.terminated | segment.truncated
        sums, self._returns = discounted_sums(rewards, ended, self._returns, 1.0)
        figures = {"learned_reward": float(rewards[segment.is_transition].mean())}
        if ended.any():
            figures["learned_return"] = float(sums[ended].mean())
        if self._goes_on:
            if math.isnan(self._middle):
                self._middle = float(rewards[segment.is_transition].mean())
            rewards = np.where(segment.is_transition, rewards - self._middle, 0.0)
        return replace(segment, rewards=rewards), figures

    def continued(self, segment: Segment, rewards: FloatArray) -> Segment:
        """A segment whose terminated episodes stay where they ended, where the settings say so.

        Rankings are of stretches of equal length, and say nothing about ends. The last reward then
        comes for ever, and is worth r / (1 - γ): nobody acts from there, so that the critic never
        learns the value of such a state.

        Args:
            segment: segment.
            rewards: (T, N) its scaled rewards, in whose units values are.
        """
        if not self._goes_on:
            return segment
        worth = rewards / (1.0 - self._discount)
        return replace(
            segment,
            next_values=np.where(segment.terminated, worth, segment.next_values),
            terminated=np.zeros_like(segment.terminated),
            truncated=segment.terminated | segment.truncated,
        )

    def reference(self, segment: Segment) -> Array | None:
        """(T, N, K) what the reference policy would do; None without one."""
        if self._reference is None:
            return None
        flat = segment.observations.reshape(-1, segment.observations.shape[-1])
        return self._reference.outputs(flat).reshape(*segment.observations.shape[:2], -1)

    def adapt(self, divergence: float) -> dict[str, Any]:
        """Set β by the mean divergence of an update; returns the figures of that update."""
        if self._reference is None:
            return {}
        figures = {"reference_kl": divergence, "kl_weight": self.weight}
        target, factor = self._config.target_kl, 1.0
        if divergence > _TOLERANCE * target:
            factor = _FACTOR
        elif divergence < target / _TOLERANCE:
            factor = 1.0 / _FACTOR
        self.weight = float(np.clip(self.weight * factor, *_WEIGHTS))
        return figures

    def arrays(self) -> dict[str, FloatArray]:
        """Everything that the next iterations depend on."""
        return {
            "learned_returns": self._returns,
            "learned_middle": np.array(self._middle),
            "kl_weight": np.array(self.weight),
        }

    def restore(self, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        # Runs of earlier releases learned from the environment alone.
        self._returns = np.array(arrays.get("learned_returns", self._returns))
        self._middle = float(arrays.get("learned_middle", self._middle))
        self.weight = float(arrays.get("kl_weight", self.weight))


def learned_mean(
    reward: LearnedReward,
    config: PreferenceConfig,
    episodes: Sequence[Episode],
    scaling: Scaling,
) -> float:
    """The mean learned return of episodes; where an end means nothing, the mean reward of a step.

    Else the longer of two episodes would be taken for the better one, or the shorter.

    Args:
        reward: learned reward.
        config: settings.
        episodes: episodes, as the policy played them.
        scaling: scaling that the policy acted with.
    """
    found = []
    for episode in episodes:
        actions = scaling.actions(episode.drawn)
        rewards = reward.rewards(episode.observations, actions, config.uncertainty_penalty)
        found.append(rewards.mean() if config.ends == "bootstrap" else rewards.sum())
    return float(np.mean(found))
