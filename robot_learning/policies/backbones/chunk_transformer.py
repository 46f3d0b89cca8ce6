"""A transformer over the steps of a chunk that attends to time and history.

Chi et al. 2023 (https://arxiv.org/abs/2303.04137), section 3.1 and appendix A: each step of the
noisy chunk is a token, seeing earlier ones only, and attends to the embedded time and history.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robot_learning.policies.backbones.attention import Cache, PreNormBlock
from robot_learning.policies.backbones.positions import sinusoids


class ChunkTransformer(nn.Module):
    """A chunk (B, T, n), a time (B,) and a condition (B, T_o, F) to something like the chunk.

    Keys and values of the memory depend on time and condition only, so a sampler computes those
    of all its steps at once (`modulations`), and then `run`s the steps.
    """

    def __init__(
        self,
        *,
        size: int,
        steps: int,
        condition_steps: int,
        condition: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.divisor = 1
        self.width = width
        self.from_chunk = nn.Linear(size, width)
        self.from_condition = nn.Linear(condition, width)
        self.chunk_positions = nn.Parameter(0.02 * torch.randn(steps, width))
        self.memory_positions = nn.Parameter(0.02 * torch.randn(1 + condition_steps, width))
        self.memory_network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        blocks = [PreNormBlock(width, heads, dropout, with_memory=True) for _ in range(layers)]
        self.blocks: Sequence[PreNormBlock] = nn.ModuleList(blocks)  # type: ignore[assignment]
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, size)

    def forward(self, chunk: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """The network's answer, (B, T, n).

        Args:
            chunk: (B, T, n) noisy chunk.
            time: (B,) time of the refinement, 0 to 100.
            condition: (B, T_o, features) features of the history.
        """
        return self.run(chunk, self.modulations(time, condition))

    def modulations(self, time: Tensor, condition: Tensor) -> list[Tensor]:
        """Keys and values of the memory for each block: two tensors (B, heads, S', d) each."""
        embedded = sinusoids(time, self.width).unsqueeze(1)
        memory = torch.cat([embedded, self.from_condition(condition)], dim=1)
        memory = self.memory_network(self.dropout(memory + self.memory_positions))
        found: list[Tensor] = []
        for block in self.blocks:
            found.extend(block.memory_cache(memory) or ())
        return found

    def run(self, chunk: Tensor, modulations: Sequence[Tensor]) -> Tensor:
        """The network for given keys and values, (B, T, n)."""
        hidden = self.dropout(self.from_chunk(chunk) + self.chunk_positions)
        for number, block in enumerate(self.blocks):
            memory: Cache = (modulations[2 * number], modulations[2 * number + 1])
            hidden = block(hidden, memory)
        found: Tensor = self.head(self.norm(hidden))
        return found
