"""Autoregressive discretisation: each action dimension in bins, one after another.

π(a|o) = Π_i π(a_i | a_1 … a_{i-1}, o), each factor a softmax over bins, by a causal transformer
(RT-1, Brohan et al. 2022, https://arxiv.org/abs/2212.06817, section 5.1, bins; Metz et al. 2017,
https://arxiv.org/abs/1705.05035, one dimension after another).

A chunk is generated from its last step to its first: where it goes is decided first, and the
steps between follow (Chain-of-Action, Zhang et al. 2025, https://arxiv.org/abs/2506.09990).

A softmax does not know that neighbouring bins are alike, and overfits small datasets. So a label
may be smoothed over its neighbours by a Gaussian (Imani & White 2018,
https://arxiv.org/abs/1806.04613; Farebrother et al. 2024, https://arxiv.org/abs/2403.03950), and
previous tokens are embedded by value. Bins near a guess that a perceptron makes from the
observation alone are favoured, so that tokens only have to give the difference.

Sampling decodes by mean shift over the smoothed bins (Comaniciu & Meer 2002,
https://doi.org/10.1109/34.1000236): the answer is the middle of the mode that a drawn bin belongs
to. Otherwise the scatter of the smoothing, small in each token, would lead an arm off what was
demonstrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

import torch
from torch import Tensor, nn
from torch.nn import functional

from robot_learning.policies.backbones.attention import Cache, PreNormBlock
from robot_learning.policies.backbones.mlp import mlp
from robot_learning.policies.categorical import choose
from robot_learning.policies.encoder import ObservationEncoder
from robot_learning.policies.family_configs import AutoregressiveConfig
from robot_learning.policies.padding import mean_unpadded
from robot_learning.policies.policy import Loss, Policy, TensorBatch
from robot_learning.policies.spec import PolicySpec
from robot_learning.policies.statistics import Statistics

# Half-width of a mode, in widths of a label, and steps of mean shift that find its middle.
_MODE_WIDTHS, _SHIFTS = 3, 2
# How far round a guess bins are favoured, in widths of a label: far enough that others may win.
_GUESS_WIDTHS = 4


class AutoregressivePolicy(Policy):
    """A sequence of tokens, T_a · n of them, or T_a for discrete actions."""

    family = "autoregressive"
    takes_discrete_actions = True
    config: AutoregressiveConfig

    def __init__(
        self, spec: PolicySpec, statistics: Statistics | None, config: AutoregressiveConfig
    ) -> None:
        """Build the networks; see `Policy`.

        Raises:
            PolicyError: also when actions are normalised beyond the bins.
        """
        super().__init__(spec, statistics, config)
        self.require_bounded_actions("has bins from -1 to 1")
        self.choices = spec.discrete_actions or config.bins
        self.tokens = spec.action_steps * spec.action_dim
        self.encoder = ObservationEncoder(spec, statistics, config)
        inputs = spec.observation_steps * self.encoder.features
        self.is_spread = config.label_width_bins > 0 and not spec.discrete_actions
        # The observation stands in front of the first token, and is added to every later one.
        self.condition = mlp(inputs, config.hidden, config.width + self.is_spread * self.tokens)
        self.embedding = (
            nn.Embedding(self.choices, config.width)
            if spec.discrete_actions
            else nn.Linear(1, config.width)
        )
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
        features = self.encoder(batch, self.training, generator)
        logits = self.logits(features, self.told(targets)).flatten(0, 1)
        labels = self.labels(targets).flatten(0, 1)
        per_token = functional.cross_entropy(logits, labels, reduction="none")
        per_step = per_token.view(*is_pad.shape, -1).sum(dim=-1)
        if self.config.train_on_padding:
            is_pad = is_pad.all(dim=1, keepdim=True).expand_as(is_pad)
        # Steps in the order of the tokens: the last one first.
        return Loss(mean_unpadded(per_step, is_pad.flip(1)))

    def act(self, observation: TensorBatch, noise: Tensor) -> Tensor:
        """Draw one token after another."""
        condition, guesses = self._conditions(self.encoder(observation))
        caches: list[Cache | None] = [None] * len(self.blocks)
        previous, told = torch.zeros_like(condition), []
        for number in range(self.tokens):
            hidden = (condition + previous + self.positions[number]).unsqueeze(1)
            for index, block in enumerate(self.blocks):
                hidden, caches[index] = block.step(hidden, caches[index])
            logits = self._favoured(self.head(self.norm(hidden[:, 0])), guesses[:, number])
            logits = self.sharpened(logits)
            told.append(self._drawn(logits, noise[:, number]))
            previous = self._embedded(told[-1])
        return self.chunk(torch.stack(told, dim=1))

    def logits(self, features: Tensor, told: Tensor) -> Tensor:
        """(B, L, choices) for each token, from the values `told` (B, L) of those before it."""
        before = functional.pad(self._embedded(told[:, :-1]), (0, 0, 1, 0))
        condition, guesses = self._conditions(features)
        hidden = condition.unsqueeze(1) + before + self.positions
        for block in self.blocks:
            hidden = block(hidden)
        return self._favoured(self.head(self.norm(hidden)), guesses)

    def sharpened(self, logits: Tensor) -> Tensor:
        """The logits (..., choices) that are drawn from, rare choices left out."""
        logits = logits / self.config.temperature
        if not self.config.smallest_share:
            return logits
        least = logits.amax(dim=-1, keepdim=True) + log(self.config.smallest_share)
        return logits.masked_fill(logits < least, -inf)

    def told(self, targets: Tensor) -> Tensor:
        """The value of each token for normalised actions (B, T_a, n): (B, L), the last step first.

        The actions themselves where labels are smoothed, else the middles of their bins. Discrete
        actions (B, T_a) stay as they are.
        """
        backward = targets.flip(1).flatten(1)
        if self.spec.discrete_actions:
            return backward
        return backward.clamp(-1, 1) if self.is_spread else self._middles(self._bins(backward))

    def chunk(self, told: Tensor) -> Tensor:
        """`told` (B, L) in the dataset's units, (B, T_a, n); discrete ones (B, T_a)."""
        if self.spec.discrete_actions:
            return told.flip(1)
        return self.to_actions(told.view(len(told), self.spec.action_steps, -1).flip(1))

    def labels(self, targets: Tensor) -> Tensor:
        """The true choice of each token (B, L), or its share in each bin (B, L, choices)."""
        backward = targets.flip(1).flatten(1)
        if self.spec.discrete_actions:
            return backward
        if not self.is_spread:
            return self._bins(backward)
        return self._nearness(backward.clamp(-1, 1), self.config.label_width_bins).softmax(dim=-1)

    def _conditions(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What is added to each token (B, width), and a guess at each one's value (B, L)."""
        found = self.condition(features.flatten(1))
        condition, guesses = found[:, : self.config.width], found[:, self.config.width :]
        return condition, guesses if self.is_spread else found.new_zeros(len(found), self.tokens)

    def _favoured(self, logits: Tensor, guesses: Tensor) -> Tensor:
        """The logits (..., choices), higher near `guesses` (...) where labels are smoothed."""
        if not self.is_spread:
            return logits
        return logits + self._nearness(guesses, _GUESS_WIDTHS * self.config.label_width_bins)

    def _drawn(self, logits: Tensor, noise: Tensor) -> Tensor:
        """The value (B,) of a token drawn from `logits` (B, choices)."""
        choice = choose(logits, noise)
        if self.spec.discrete_actions:
            return choice
        value = self._middles(choice)
        for _ in range(_SHIFTS if self.is_spread else 0):
            near = self._nearness(value, _MODE_WIDTHS * self.config.label_width_bins)
            # One step of mean shift: the mean of the bins, weighted by probability and nearness.
            value = (logits + near).softmax(dim=-1) @ self._all_middles()
        return value

    def _nearness(self, values: Tensor, width_bins: float) -> Tensor:
        """The logarithm (..., choices), up to a constant, of a Gaussian round `values` (...)."""
        distance = (self._all_middles() - values.unsqueeze(-1)) * (self.choices / 2 / width_bins)
        return -0.5 * distance * distance

    def _embedded(self, told: Tensor) -> Tensor:
        """(..., width)."""
        found: Tensor = self.embedding(told if self.spec.discrete_actions else told.unsqueeze(-1))
        return found

    def _bins(self, values: Tensor) -> Tensor:
        """The bin that each normalised value lies in."""
        return ((values + 1) / 2 * self.choices).floor().long().clamp(0, self.choices - 1)

    def _middles(self, bins: Tensor) -> Tensor:
        """The middle of each bin, normalised."""
        return (bins.to(self.positions.dtype) + 0.5) / self.choices * 2 - 1

    def _all_middles(self) -> Tensor:
        return self._middles(torch.arange(self.choices, device=self.positions.device))
