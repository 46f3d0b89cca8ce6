"""Action chunking with transformers: a conditional variational autoencoder over chunks.

Zhao et al. 2023 (https://arxiv.org/abs/2304.13705), section IV and appendix C. Training encodes the
demonstrated chunk into a latent z (mean and variance), and decodes it from observation and z; the
loss is E|a - â| over the unpadded steps plus β KL(q(z|a,o) ‖ N(0, I)), β = 10. At inference z = 0.
As in the authors' code, one decoder layer has any effect, and normalisation comes after.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robot_learning.policies.backbones.attention import (
    PostNormDecoderLayer,
    PostNormEncoderLayer,
)
from robot_learning.policies.backbones.positions import image_sinusoids, sinusoids
from robot_learning.policies.backbones.resnet import ResNet18
from robot_learning.policies.encoder import ObservationInput
from robot_learning.policies.family_configs import ActConfig
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.randomness import normal
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics


class ActPolicy(Policy):
    """A chunk of actions from one latent."""

    family = "act"
    config: ActConfig

    def __init__(self, spec: PolicySpec, statistics: Statistics | None, config: ActConfig) -> None:
        """Build the networks; see `Policy`."""
        super().__init__(spec, statistics, config)
        width, heads = config.width, config.heads
        self.input = ObservationInput(spec, statistics, config)
        self.latent_encoder = LatentEncoder(spec, self.input.vector_size, config)
        self.tokens = ObservationTokens(spec, self.input, config)
        self.encoder_layers = nn.ModuleList(
            PostNormEncoderLayer(width, heads, config.hidden, config.dropout)
            for _ in range(config.encoder_layers)
        )
        self.query_positions = nn.Parameter(torch.randn(spec.action_steps, width))
        decoder = [
            PostNormDecoderLayer(width, heads, config.hidden, config.dropout)
            for _ in range(config.decoder_layers)
        ]
        self.decoder_layers: Sequence[PostNormDecoderLayer]
        self.decoder_layers = nn.ModuleList(decoder)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, spec.action_dim)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """Reconstruction over unpadded steps, and β times the divergence of the latent."""
        targets, is_pad = self.targets(batch)
        vectors = self._vectors(batch)
        mean, log_variance = self.latent_encoder(vectors, targets, is_pad)
        noise = normal(mean.shape, mean.device, generator)
        latent = mean + (0.5 * log_variance).exp() * noise
        images = self.input.images(batch, self.training, generator)
        error = (self._decode(latent, vectors, images) - targets).abs().mean(dim=-1)
        reconstruction = mean_unpadded(error, is_pad)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=-1)
        return Loss(
            reconstruction + self.config.kl_weight * divergence,
            {"l1": reconstruction.mean().detach(), "kl": divergence.mean().detach()},
        )

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """The chunk for z = 0; there is no noise."""
        vectors = self._vectors(observation)
        images = self.input.images(observation, False, None)
        latent = vectors.new_zeros(noise.shape[0], self.config.latent)
        return self.to_actions(self._decode(latent, vectors, images))

    def _vectors(self, batch: TensorBatch) -> Tensor:
        if self.input.vector_columns:
            return self.input.vectors(batch)
        some = batch[self.input.image_columns[0].key]
        return torch.zeros(*some.shape[:2], 0, device=some.device)

    def _decode(self, latent: Tensor, vectors: Tensor, images: list[Tensor]) -> Tensor:
        memory, positions = self.tokens(latent, vectors, images)
        for layer in self.encoder_layers:
            memory = layer(memory, positions)
        chunk = self.decoder_layers[0].begin(self.query_positions, memory, positions)
        for layer in self.decoder_layers[1:]:
            chunk = layer(chunk, self.query_positions, memory, positions)
        found: Tensor = self.head(self.norm(chunk))
        return found


class LatentEncoder(nn.Module):
    """q(z | chunk, observation): a transformer over [class token, vectors, actions]."""

    positions: Tensor

    def __init__(self, spec: PolicySpec, vector_size: int, config: ActConfig) -> None:
        super().__init__()
        width = config.width
        self.class_token = nn.Parameter(torch.randn(width))
        self.from_vectors = nn.Linear(vector_size, width) if vector_size else None
        self.from_actions = nn.Linear(spec.action_dim, width)
        steps = 1 + (spec.observation_steps if vector_size else 0) + spec.action_steps
        self.register_buffer("positions", sinusoids(torch.arange(steps), width))
        self.layers = nn.ModuleList(
            PostNormEncoderLayer(width, config.heads, config.hidden, config.dropout)
            for _ in range(config.latent_encoder_layers)
        )
        self.to_latent = nn.Linear(width, 2 * config.latent)

    def forward(self, vectors: Tensor, actions: Tensor, is_pad: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of z, each (B, latent).

        Args:
            vectors: (B, T_o, v) normalised columns that are no images.
            actions: (B, T_a, n) normalised demonstrated chunk.
            is_pad: (B, T_a) steps that reach beyond the episode.
        """
        parts = [self.class_token.expand(len(actions), 1, -1)]
        if self.from_vectors is not None:
            parts.append(self.from_vectors(vectors))
        others = sum(part.shape[1] for part in parts)
        tokens = torch.cat([*parts, self.from_actions(actions)], dim=1)
        keep = nn.functional.pad(~is_pad, (others, 0), value=True)[:, None, None]
        for layer in self.layers:
            tokens = layer(tokens, self.positions, keep)
        mean, log_variance = self.to_latent(tokens[:, 0]).chunk(2, dim=-1)
        return mean, log_variance


class ObservationTokens(nn.Module):
    """The latent, each step's vectors, and each cell of each image's feature map, as tokens."""

    def __init__(self, spec: PolicySpec, inputs: ObservationInput, config: ActConfig) -> None:
        super().__init__()
        width = config.width
        self.from_latent = nn.Linear(config.latent, width)
        self.from_vectors = nn.Linear(inputs.vector_size, width) if inputs.vector_size else None
        others = 1 + (spec.observation_steps if inputs.vector_size else 0)
        self.positions = nn.Parameter(torch.randn(others, width))
        cameras = len(inputs.image_columns)
        # Which camera and which step a feature map is of; of none nothing is learned.
        self.image_places = nn.Parameter(
            0.02 * torch.randn(cameras * spec.observation_steps, width), requires_grad=cameras > 0
        )
        encoders = min(cameras, 1) if config.images.shared else cameras
        self.resnets = nn.ModuleList(
            ResNet18(config.images.width, config.images.downsampling) for _ in range(encoders)
        )
        self.from_maps = nn.ModuleList(
            nn.Conv2d(8 * config.images.width, width, 1) for _ in range(encoders)
        )

    def forward(
        self, latent: Tensor, vectors: Tensor, images: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B, S, width), and their positions (1, S, width).

        Args:
            latent: (B, latent) z.
            vectors: (B, T_o, v) normalised columns that are no images.
            images: (B, T_o, 3, h, w) normalised images of each camera.
        """
        tokens: list[Tensor] = [self.from_latent(latent).unsqueeze(1)]
        places: list[Tensor] = [self.positions]
        if self.from_vectors is not None:
            tokens.append(self.from_vectors(vectors))
        for number, camera in enumerate(images):
            encoder = min(number, len(self.resnets) - 1)
            maps = self.from_maps[encoder](self.resnets[encoder](camera.flatten(0, 1)))
            height, width = maps.shape[-2:]
            steps = camera.shape[1]
            cells = maps.flatten(2).transpose(1, 2).unflatten(0, camera.shape[:2]).flatten(1, 2)
            tokens.append(cells)
            sines = image_sinusoids(height, width, maps.shape[1], maps.device)
            which = self.image_places[number * steps : (number + 1) * steps]
            places.append((which[:, None] + sines).flatten(0, 1))
        return torch.cat(tokens, dim=1), torch.cat(places).unsqueeze(0)
