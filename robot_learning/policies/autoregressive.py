"""Autoregressive discretisation: each action dimension in bins, one after another.

π(a|o) = Π_i π(a_i | a_1 … a_{i-1}, o), each factor a softmax over bins, by a causal transformer
(RT-1, Brohan et al. 2022, https://arxiv.org/abs/2212.06817, section 5.1, bins; Metz et al. 2017,
https://arxiv.org/abs/1705.05035, one dimension after another). A chunk's steps follow each other.

A softmax does not know that neighbouring bins are alike, and learns few demonstrations by heart. A
discretised mixture of logistics knows (`logistics.py`), and still has several modes. Its means lie
round what a perceptron makes of the observation, so that tokens only have to tell the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from robot_learning.policies.backbones.attention import Cache, PreNormBlock
from robot_learning.policies.backbones.mlp import mlp
from robot_learning.policies.categorical import choose
from robot_learning.policies.config import PolicyConfig, check_heads
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.logistics import log_bin_shares
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, PolicySpec, Statistics, TensorBatch

_FIRST_LOG_SCALE = -2.0


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig(PolicyConfig):
    """A causal transformer over bins.

    Attributes:
        bins: equal parts of the normalised range [-1, 1]; what lies beyond goes into the
            outermost. Discrete actions have their own number instead.
        head: what gives the shares of the bins: `softmax`, free for each bin, or `logistics`, a
            mixture of smooth bumps. Discrete actions always have the first.
        components: of the mixture of logistics.
        hidden: widths of the perceptron between the observation and the tokens; none for a
            linear map.
        width: of a token.
        layers: of the transformer.
        heads: of its attention.
        dropout: in training.
        temperature: logits are divided by it when sampling; below 1 is more decided.
    """

    bins: int = 256
    head: Literal["softmax", "logistics"] = "softmax"
    components: int = 5
    hidden: tuple[int, ...] = ()
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
        self.is_smooth = config.head == "logistics" and not spec.discrete_actions
        # The observation stands in front of the first token, and is added to every later one.
        centres = self.tokens if self.is_smooth else 0
        self.condition = mlp(inputs, config.hidden, config.width + centres)
        self.embedding = (
            nn.Linear(1, config.width)
            if self.is_smooth
            else nn.Embedding(self.choices, config.width)
        )
        self.positions = nn.Parameter(0.02 * torch.randn(self.tokens, config.width))
        blocks = [
            PreNormBlock(config.width, config.heads, config.dropout, with_memory=False)
            for _ in range(config.layers)
        ]
        self.blocks: Sequence[PreNormBlock] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(config.width)
        outputs = 3 * config.components if self.is_smooth else self.choices
        self.head = nn.Linear(config.width, outputs)
        if self.is_smooth:
            nn.init.constant_(self.head.bias[-config.components :], _FIRST_LOG_SCALE)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """One number a token."""
        return (self.tokens,)

    def loss(self, batch: TensorBatch, generator: torch.Generator | None = None) -> Loss:
        """The cross entropy of each token given the true ones before it."""
        targets, is_pad = self.targets(batch)
        tokens = self.to_tokens(targets).flatten(1)
        features = self.encoder(batch, self.training, generator)
        outputs = self._outputs(features, tokens)
        if self.is_smooth:
            per_token = -log_bin_shares(outputs, self._middles(tokens), self.choices)
        else:
            per_token = functional.cross_entropy(outputs.mT, tokens, reduction="none")
        per_step = torch.unflatten(per_token, 1, (self.spec.action_steps, -1)).sum(dim=-1)
        return Loss(mean_unpadded(per_step, is_pad))

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Draw one token after another."""
        condition, centres = self._conditions(self.encoder(observation))
        caches: list[Cache | None] = [None] * len(self.blocks)
        previous, drawn = torch.zeros_like(condition), []
        for number in range(self.tokens):
            hidden = (condition + previous + self.positions[number]).unsqueeze(1)
            for index, block in enumerate(self.blocks):
                hidden, caches[index] = block.step(hidden, caches[index])
            outputs = self._around(self.head(self.norm(hidden[:, 0])), centres[:, number])
            logits = self._shares(outputs) / self.config.temperature
            drawn.append(choose(logits, noise[:, number]))
            previous = self._embedded(drawn[-1])
        return self.from_tokens(torch.stack(drawn, dim=1))

    def logits(self, features: Tensor, tokens: Tensor) -> Tensor:
        """(B, L, choices) for each of `tokens` (B, L), from those before it."""
        return self._shares(self._outputs(features, tokens))

    def _outputs(self, features: Tensor, tokens: Tensor) -> Tensor:
        """What the head gives for each of `tokens`, (B, L, ...)."""
        before = functional.pad(self._embedded(tokens[:, :-1]), (0, 0, 1, 0))
        condition, centres = self._conditions(features)
        hidden = condition.unsqueeze(1) + before + self.positions
        for block in self.blocks:
            hidden = block(hidden)
        return self._around(self.head(self.norm(hidden)), centres)

    def _conditions(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to each token (B, width), and where each token's means lie (B, L)."""
        found = self.condition(features.flatten(1))
        centres = found[:, self.config.width :] if self.is_smooth else found.new_zeros(self.tokens)
        return found[:, : self.config.width], centres.expand(len(found), self.tokens)

    def _around(self, outputs: Tensor, centres: Tensor) -> Tensor:
        """The head's outputs with the means of a mixture (..., M) moved to `centres` (...)."""
        if not self.is_smooth:
            return outputs
        weights, means, scales = outputs.chunk(3, dim=-1)
        return torch.cat([weights, means + centres.unsqueeze(-1), scales], dim=-1)

    def to_tokens(self, targets: Tensor) -> Tensor:
        """Normalised actions as the bins that they lie in; discrete ones are tokens already."""
        if self.spec.discrete_actions:
            return targets
        return ((targets + 1) / 2 * self.choices).floor().long().clamp(0, self.choices - 1)

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """The middle of each bin in the dataset's units, (B, T_a, n); discrete ones (B, T_a)."""
        if self.spec.discrete_actions:
            return tokens
        middle = torch.unflatten(self._middles(tokens), 1, (self.spec.action_steps, -1))
        return self.to_actions(middle)

    def _shares(self, outputs: Tensor) -> Tensor:
        """The logits (..., choices) that the head's outputs stand for."""
        if not self.is_smooth:
            return outputs
        middles = self._middles(torch.arange(self.choices, device=outputs.device))
        return log_bin_shares(outputs.unsqueeze(-2), middles, self.choices)

    def _embedded(self, tokens: Tensor) -> Tensor:
        """(..., width). For a mixture a bin's middle goes in, so that neighbours are alike."""
        values = self._middles(tokens).unsqueeze(-1) if self.is_smooth else tokens
        found: Tensor = self.embedding(values)
        return found

    def _middles(self, tokens: Tensor) -> Tensor:
        """The middle of each bin, normalised."""
        return (tokens.to(self.positions.dtype) + 0.5) / self.choices * 2 - 1
