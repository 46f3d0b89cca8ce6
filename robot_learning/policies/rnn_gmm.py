"""robomimic's BC-RNN-GMM: an LSTM over the history, at each of its steps a mixture.

Mandlekar et al. 2021 (https://arxiv.org/abs/2108.03298), section 4 and appendix D. The chunk lies
along the history: step t of it is the action for the t-th observation of the window, so training
learns from all of them, and a runner executes the last. The recurrence starts at zero with each
window, here as in training; robomimic instead restarts it every T_o steps of a rollout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.family_configs import RnnGmmConfig
from robot_learning.policies.mixture import Mixture
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class RnnGmmPolicy(Policy):
    """A mixture over each step's action, given all observations of the window up to it."""

    family = "rnn_gmm"
    config: RnnGmmConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: RnnGmmConfig
    ) -> None:
        """Build the networks; see `Policy`.

        Raises:
            PolicyError: also when the chunk does not lie along the history.
        """
        super().__init__(spec, statistics, config)
        if config.tanh_mean:
            self.require_bounded_actions("keeps means within (-1, 1) (tanh_mean)")
        last = spec.observation_steps - 1
        if spec.action_steps != spec.observation_steps or spec.first_action_index != last:
            raise PolicyError(
                f"rnn_gmm answers each step of its history: action_steps must be "
                f"observation_steps ({spec.observation_steps}) and first_action_index {last}, "
                f"not {spec.action_steps} and {spec.first_action_index}"
            )
        self.encoder = ObservationEncoder(spec, statistics, config)
        self.recurrence = nn.LSTM(
            self.encoder.features, config.hidden, config.layers, batch_first=True
        )
        outputs = config.components * (1 + 2 * spec.action_dim)
        self.head = nn.Linear(config.hidden, outputs)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """For each step one number for the component, and one an action dimension."""
        return (self.spec.action_steps, 1 + self.spec.action_dim)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The negative log-likelihood, averaged over the unpadded steps of the window."""
        targets, is_pad = self.targets(batch)
        mixture = self.mixture(batch, self.training, generator)
        per_step = -mixture.log_density(targets)
        return Loss(mean_unpadded(per_step, is_pad), {"std": mixture.std.mean().detach()})

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Draw each step's component, then its mean or a sample."""
        return self.to_actions(
            self.mixture(observation).draw(noise, self.config.answer == "sample")
        )

    def mixture(
        self,
        observation: TensorBatch,
        augmented: bool = False,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """The mixtures over normalised actions, leading axes (B, T).

        Args:
            observation: (B, T_o, ...) by key.
            augmented: whether images are augmented, as in training.
            generator: source of randomness; None for PyTorch's global one.
        """
        features = self.encoder(observation, augmented, generator)
        outputs = self.head(self._hidden(features))
        components = self.config.components
        logits, rest = outputs[..., :components], outputs[..., components:]
        mean, std = rest.unflatten(-1, (components, -1)).chunk(2, dim=-1)
        return Mixture.from_raw(logits, mean, std, self.config)

    def _hidden(self, features: Tensor) -> Tensor:
        if features.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # PyTorch's LSTM in another precision fails on processors without instructions for it.
            with torch.autocast("cpu", enabled=False):
                return self.recurrence(features.float())[0]  # type: ignore[no-any-return]
        return self.recurrence(features)[0]  # type: ignore[no-any-return]
