"""Autoregressive discretisation: each action dimension in bins, one after another.

π(a|o) = Π_i π(a_i | a_1 … a_{i-1}, o), each factor a softmax over bins, by a causal transformer
(RT-1, Brohan et al. 2022, https://arxiv.org/abs/2212.06817, section 5.1, bins; Metz et al. 2017,
https://arxiv.org/abs/1705.05035, one dimension after another). A chunk's steps follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from robot_learning.policies.backbones.attention import Cache, PreNormBlock
from robot_learning.policies.categorical import choose
from robot_learning.policies.config import PolicyConfig, check_heads
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, PolicySpec, Statistics, TensorBatch


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig(PolicyConfig):
    """A causal transformer over bins.

    Attributes:
        bins: equal parts of the normalised range [-1, 1]; what lies beyond goes into the
            outermost. Discrete actions have their own number instead.
        width: of a token.
        layers: of the transformer.
        heads: of its attention.
        dropout: in training.
        temperature: logits are divided by it when sampling; below 1 is more decided.
    """

    bins: int = 256
    width: int = 128
    layers: int = 2
    heads: int = 4
    dropout: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if self.bins < 2 or self.temperature <= 0:
            raise PolicyError("bins are at least 2, and the temperature is above 0")


class AutoregressivePolicy(Policy):
    """A sequence of tokens, T_a · n of them, or T_a for discrete actions."""

    family = "autoregressive"
    takes_discrete_actions = True
    config: AutoregressiveConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: AutoregressiveConfig
    ) -> None:
        """Build the networks; see `Policy`."""
        super().__init__(spec, statistics, config)
        self.choices = spec.discrete_actions or config.bins
        self.tokens = spec.action_steps * spec.action_dim
        self.encoder = ObservationEncoder(spec, statistics, config)
        inputs = spec.observation_steps * self.encoder.features
        # The observation stands in front of the first token, and is added to every later one.
        self.condition = nn.Linear(inputs, config.width)
        self.embedding = nn.Embedding(self.choices, config.width)
        self.positions = nn.Parameter(0.02 * torch.randn(self.tokens, config.width))
        blocks = [
            PreNormBlock(config.width, config.heads, config.dropout, with_memory=False)
            for _ in range(config.layers)
        ]
        self.blocks: Sequence[PreNormBlock] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, self.choices)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number a token."""
        return (self.tokens,)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The cross entropy of each token given the true ones before it."""
        targets, is_pad = self.targets(batch)
        tokens = self.to_tokens(targets).flatten(1)
        features = self.encoder(batch, self.training, generator)
        logits = self.logits(features, tokens)
        per_token = functional.cross_entropy(logits.mT, tokens, reduction="none")
        per_step = torch.unflatten(per_token, 1, (self.spec.action_steps, -1)).sum(dim=-1)
        hits = (logits.argmax(-1) == tokens).to(logits.dtype).mean().detach()
        return Loss(mean_unpadded(per_step, is_pad), {"accuracy": hits})

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Draw one token after another."""
        condition = self.condition(self.encoder(observation).flatten(1))
        caches: list[Cache | None] = [None] * len(self.blocks)
        previous, drawn = torch.zeros_like(condition), []
        for number in range(self.tokens):
            hidden = (condition + previous + self.positions[number]).unsqueeze(1)
            for index, block in enumerate(self.blocks):
                hidden, caches[index] = block.step(hidden, caches[index])
            logits = self.head(self.norm(hidden[:, 0])) / self.config.temperature
            drawn.append(choose(logits, noise[:, number]))
            previous = self.embedding(drawn[-1])
        return self.from_tokens(torch.stack(drawn, dim=1))

    def logits(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(B, L, choices) for each of `tokens` (B, L), from those before it."""
        before = functional.pad(self.embedding(tokens[:, :-1]), (0, 0, 1, 0))
        hidden = self.condition(features.flatten(1)).unsqueeze(1) + before + self.positions
        for block in self.blocks:
            hidden = block(hidden)
        found: Tensor = self.head(self.norm(hidden))
        return found

    def to_tokens(self, targets: Tensor) -> Tensor:
        """Normalised actions as the bins that they lie in; discrete ones are tokens already."""
        if self.spec.discrete_actions:
            return targets
        return ((targets + 1) / 2 * self.choices).floor().long().clamp(0, self.choices - 1)

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """The middle of each bin in the dataset's units, (B, T_a, n); discrete ones (B, T_a)."""
        if self.spec.discrete_actions:
            return tokens
        middle = (tokens.to(self.positions.dtype) + 0.5) / self.choices * 2 - 1
        return self.to_actions(torch.unflatten(middle, 1, (self.spec.action_steps, -1)))
