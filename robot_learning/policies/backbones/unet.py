"""A one-dimensional U-Net over the steps of a chunk, conditioned by FiLM.

Chi et al. 2023 (https://arxiv.org/abs/2303.04137), section 3.1, after Janner et al. 2022: residual
blocks of two convolutions with group normalisation and Mish; the condition (the time's embedding
and all features of the history) scales and shifts what is between them (FiLM, Perez et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from robot_learning.policies.backbones.positions import sinusoids
from robot_learning.policies.backbones.short_conv import ShortConv1d, ShortUpsample1d


class ConvBlock(nn.Sequential):
    """Convolution, group normalisation, Mish; (B, inputs, T) to (B, outputs, T)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int) -> None:
        super().__init__(
            ShortConv1d(inputs, outputs, kernel, padding=kernel // 2),
            nn.GroupNorm(groups, outputs),
            nn.Mish(),
        )


class ResidualBlock(nn.Module):
    """Two convolutions with the condition between them, and a shortcut."""

    def __init__(self, inputs: int, outputs: int, condition: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.first = ConvBlock(inputs, outputs, kernel, groups)
        self.second = ConvBlock(outputs, outputs, kernel, groups)
        self.film = nn.Linear(condition, 2 * outputs)
        self.shortcut = ShortConv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, chunk: Tensor, modulation: Tensor) -> Tensor:
        """(B, outputs, T); `modulation` (B, 2 · outputs) is what `film` gave."""
        scale, shift = modulation.unsqueeze(-1).chunk(2, dim=1)
        out: Tensor = self.second(scale * self.first(chunk) + shift) + self.shortcut(chunk)
        return out


class UNet(nn.Module):
    """A chunk (B, T, n), a time (B,) and a condition (B, T_o, F) to something like the chunk.

    T must be a multiple of `divisor`. Modulations depend on time and condition only, so a sampler
    computes those of all its steps at once, and then `run`s the steps.
    """

    def __init__(
        self,
        *,
        size: int,
        condition: int,
        channels: Sequence[int],
        kernel: int,
        groups: int,
        time_features: int,
    ) -> None:
        super().__init__()
        self.divisor = 2 ** (len(channels) - 1)
        self.time_features = time_features
        self.time_network = nn.Sequential(
            nn.Linear(time_features, 4 * time_features),
            nn.Mish(),
            nn.Linear(4 * time_features, time_features),
        )
        condition += time_features

        def block(inputs: int, outputs: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, condition, kernel, groups)

        sizes = [size, *channels]
        self.down_blocks, self.downsamples = nn.ModuleList(), nn.ModuleList()
        for number, outputs in enumerate(channels):
            self.down_blocks.append(block(sizes[number], outputs))
            self.down_blocks.append(block(outputs, outputs))
            last = number == len(channels) - 1
            self.downsamples.append(
                nn.Identity() if last else ShortConv1d(outputs, outputs, 3, 2, 1)
            )
        self.middle = nn.ModuleList(block(channels[-1], channels[-1]) for _ in range(2))
        self.up_blocks, self.upsamples = nn.ModuleList(), nn.ModuleList()
        for outputs, inputs in zip(channels[-2::-1], channels[:0:-1], strict=True):
            self.up_blocks.append(block(2 * inputs, outputs))
            self.up_blocks.append(block(outputs, outputs))
            self.upsamples.append(ShortUpsample1d(outputs))
        self.final = nn.Sequential(
            ConvBlock(channels[0], channels[0], kernel, groups), nn.Conv1d(channels[0], size, 1)
        )

    def forward(self, chunk: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """(B, T, n).

        Args:
            chunk: (B, T, n) noisy chunk.
            time: (B,) time of the refinement, 0 to 100.
            condition: (B, T_o, features) features of the history.
        """
        return self.run(chunk, self.modulations(time, condition))

    def modulations(self, time: Tensor, condition: Tensor) -> list[Tensor]:
        """Scale and shift of each residual block, each (B, 2 · its channels)."""
        embedded = self.time_network(sinusoids(time, self.time_features))
        activated = functional.mish(torch.cat([embedded, condition.flatten(1)], dim=-1))
        return [block.film(activated) for block in self._residual_blocks()]

    def run(self, chunk: Tensor, modulations: Sequence[Tensor]) -> Tensor:
        """The network for given modulations, (B, T, n)."""
        rest = iter(modulations)
        hidden, skipped = chunk.transpose(1, 2), []
        for number, downsample in enumerate(self.downsamples):
            for block in self.down_blocks[2 * number : 2 * number + 2]:
                hidden = block(hidden, next(rest))
            skipped.append(hidden)
            hidden = downsample(hidden)
        for block in self.middle:
            hidden = block(hidden, next(rest))
        for number, upsample in enumerate(self.upsamples):
            hidden = torch.cat([hidden, skipped.pop()], dim=1)
            for block in self.up_blocks[2 * number : 2 * number + 2]:
                hidden = block(hidden, next(rest))
            hidden = upsample(hidden)
        found: Tensor = self.final(hidden)
        return found.transpose(1, 2)

    def _residual_blocks(self) -> list[ResidualBlock]:
        """In the order in which `run` comes to them."""
        found = [*self.down_blocks, *self.middle, *self.up_blocks]
        return [block for block in found if isinstance(block, ResidualBlock)]
