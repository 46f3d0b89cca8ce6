"""What REINFORCE and PPO have in common: networks, scales of observations and rewards, counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.moments import Moments
from robot_learning.learning.reinforcement.reward_scale import RewardScale
from robot_learning.learning.reinforcement.seed_streams import WEIGHTS
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.runs.seeds import Seeds


class Learner:
    """The base of a run.

    Attributes:
        networks: policy and critic.
        scaling: scaling with which the policy acts in the present iteration.
        episodes: number of episodes that have ended.
        steps: number of steps so far.
    """

    def __init__(self, config: ReinforcementConfig, stepper: Stepper, reward_streams: int) -> None:
        """Begin with new networks.

        Args:
            config: settings of the run.
            stepper: environments.
            reward_streams: number of sequences of rewards that are scaled beside each other.
        """
        self._config, self._stepper, self._seeds = config, stepper, Seeds(config.seed)
        self.networks = ActorCritic.of(
            stepper.observations.size,
            stepper.actions,
            hidden=config.hidden,
            activation=config.activation,
            log_std=config.log_std,
            rng=np.random.default_rng(self._seeds.of(WEIGHTS, 0)),
        )
        self._moments = Moments(stepper.observations.size)
        self._rewards = RewardScale(reward_streams, config.discount, config.scale_rewards)
        self.scaling = self._scaling_now()
        self.episodes = self.steps = 0

    def arrays(self) -> dict[str, FloatArray]:
        """Everything that the next iterations depend on."""
        return {
            "values": self.networks.values,
            "log_std": self.networks.log_std,
            "counts": np.array([self.episodes, self.steps]),
            **self._moments.arrays("observation"),
            **self._rewards.arrays(),
        }

    def restore(self, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        self.networks.values[:] = arrays["values"]
        self.episodes, self.steps = (int(count) for count in arrays["counts"])
        self._moments.restore("observation", arrays)
        self._rewards.restore(arrays)

    def _scaling_now(self) -> Scaling:
        is_on = self._config.normalize_observations
        return Scaling(self._stepper.actions, self._moments.mean, self._moments.std, is_on)
