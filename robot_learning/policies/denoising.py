"""What diffusion and flow matching share: a network that turns noise into chunks step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from robot_learning.core.amounts import amount
from robot_learning.policies.backbones.chunk_transformer import ChunkTransformer
from robot_learning.policies.backbones.unet import UNet
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.family_configs import DenoisingConfig
from robot_learning.policies.guidance import Guidance
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class DenoisingPolicy(Policy):
    """Chunks drawn by refining noise. The times that the network is given are in 0 to 100."""

    config: DenoisingConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: DenoisingConfig
    ) -> None:
        """Build the networks; see `Policy`.

        Raises:
            PolicyError: also when the U-Net cannot halve the chunk as often as it has to.
        """
        super().__init__(spec, statistics, config)
        self.encoder = ObservationEncoder(spec, statistics, config)
        self.network = _network(spec, self.encoder.features, config)
        if spec.action_steps % self.network.divisor:
            raise PolicyError(
                f"a U-Net of {amount(len(config.channels), 'level')} needs action_steps that are a "
                f"multiple of {self.network.divisor}, not {spec.action_steps}"
            )

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """The chunk to begin with."""
        return (self.spec.action_steps, self.spec.action_dim)

    @abstractmethod
    def refine(
        self, noise: Tensor, modulations: list[list[Tensor]], guidance: Guidance | None
    ) -> Tensor:
        """Turn noise into a normalised chunk (B, T_a, n).

        Args:
            noise: (B, *noise_shape) standard normal.
            modulations: what `network.run` takes, for each sampling step.
            guidance: what the chunk is held to, its target normalised; None for nothing.
        """

    @abstractmethod
    def sampling_times(self) -> Sequence[float]:
        """The time that the network is given at each sampling step."""

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Refine the noise into a chunk."""
        return self.to_actions(self.refine(noise, self._modulations(observation), None))

    @torch.no_grad()
    def predict_guided(
        self,
        observation: TensorBatch,
        guidance: Guidance,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw a chunk (B, T_a, n) that goes on from the previous one; see `guidance.py`.

        Args:
            observation: (B, T_o, ...) by key.
            guidance: what the chunk is held to.
            generator: source of randomness; None for PyTorch's global one.

        Raises:
            PolicyError: a column is missing or has another shape.
        """
        noise = self.draw_noise(self.checked(observation), generator)
        return self.act_guided(observation, noise, guidance)

    def act_guided(self, observation: TensorBatch, noise: Tensor, guidance: Guidance) -> Tensor:
        """`act`, held to what the guidance says.

        Args:
            observation: (B, T_o, ...) by key.
            noise: (B, *noise_shape) standard normal.
            guidance: what the chunk is held to.
        """
        target = self.action_normalizer.normalize(guidance.target)
        normalized = Guidance(target, guidance.weights.to(target), guidance.limit)
        return self.to_actions(self.refine(noise, self._modulations(observation), normalized))

    def mean_error(self, predicted: Tensor, target: Tensor, is_pad: Tensor) -> Loss:
        """The squared error of each sample, averaged over steps and dimensions.

        Args:
            predicted: (B, T_a, n) answer of the network.
            target: (B, T_a, n) right answer.
            is_pad: (B, T_a) steps that reach beyond the episode.
        """
        per_step = (predicted - target).square().mean(dim=-1)
        if self.config.train_on_padding:
            return Loss(torch.where(is_pad.all(dim=1), 0.0, per_step.mean(dim=1)))
        return Loss(mean_unpadded(per_step, is_pad))

    def _modulations(self, observation: TensorBatch) -> list[list[Tensor]]:
        """For each sampling step, those of the network; computed in one batch for all steps."""
        condition = self.encoder(observation)
        times = torch.tensor(self.sampling_times(), device=condition.device)
        samples = len(condition)
        all_steps = self.network.modulations(
            times.repeat_interleave(samples), condition.repeat(len(times), 1, 1)
        )
        split = [torch.split(values, samples) for values in all_steps]
        return [[values[number] for values in split] for number in range(len(times))]


def _network(spec: PolicySpec, features: int, config: DenoisingConfig) -> UNet | ChunkTransformer:
    if config.backbone == "unet":
        return UNet(
            size=spec.action_dim,
            condition=spec.observation_steps * features,
            channels=config.channels,
            kernel=config.kernel,
            groups=config.groups,
            time_features=config.time_features,
        )
    return ChunkTransformer(
        size=spec.action_dim,
        steps=spec.action_steps,
        condition_steps=spec.observation_steps,
        condition=features,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        dropout=config.dropout,
    )
