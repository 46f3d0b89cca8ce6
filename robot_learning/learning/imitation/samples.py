"""What a fit draws its batches from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from robot_learning.learning.imitation.spaces import Leaf
from robot_learning.policies.policy import ACTION, ACTION_IS_PAD, OBSERVATION_IS_PAD


@dataclass(frozen=True)
class Samples:
    """What a fit draws from: M windows into N rows.

    Attributes:
        observation: (N, D).
        target: (N, n).
        history: (M, T_o) rows of the observation window; None where it is the row alone.
        chunk: (M, T_a) rows of the actions; likewise.
        chunk_is_pad: (M, T_a) beyond the episode, or without a label.
        history_is_pad: (M, T_o) before the episode.
        row: (M,) the row that each window belongs to.
        weight: (M,) or None where all are 1.
    """

    observation: torch.Tensor
    target: torch.Tensor
    row: torch.Tensor
    history: torch.Tensor
    history_is_pad: torch.Tensor
    chunk: torch.Tensor
    chunk_is_pad: torch.Tensor
    weight: torch.Tensor | None

    def __len__(self) -> int:
        """M."""
        return len(self.row)

    def batch(self, indices: torch.Tensor, leaves: Sequence[Leaf]) -> dict[str, torch.Tensor]:
        """The batch that policies take of the windows `indices` (B,)."""
        history, chunk = self.history[indices], self.chunk[indices]
        batch = columns(self.observation[history], leaves)
        batch[OBSERVATION_IS_PAD] = self.history_is_pad[indices]
        batch[ACTION] = self.target[chunk]
        batch[ACTION_IS_PAD] = self.chunk_is_pad[indices]
        return batch


def columns(rows: torch.Tensor, leaves: Sequence[Leaf]) -> dict[str, torch.Tensor]:
    """Rows (..., D) as the columns that policies take, (..., *shape) each."""
    return {
        leaf.spec.key: torch.unflatten(rows[..., leaf.begin : leaf.end], -1, leaf.spec.shape)
        for leaf in leaves
    }
