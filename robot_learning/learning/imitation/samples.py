"""The samples from which a fit draws its batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from robot_learning.learning.imitation.spaces import Leaf
from robot_learning.policies.spec import ACTION, ACTION_IS_PAD, OBSERVATION_IS_PAD


@dataclass(frozen=True)
class Samples:
    """The samples of a fit: M windows into N rows.

    Attributes:
        observation: (N, D) observations.
        target: (N, n) actions to learn.
        history: (M, T_o) row numbers of each observation window.
        chunk: (M, T_a) row numbers of each chunk of actions.
        chunk_is_pad: (M, T_a) whether a row of the chunk is outside the episode, or has no label.
        history_is_pad: (M, T_o) whether a row of the history precedes the episode.
        row: (M,) row number that each window belongs to.
        weight: (M,) weight of each window in the loss; None where all are 1.
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
        """Number of windows M."""
        return len(self.row)

    def batch(self, indices: torch.Tensor, leaves: Sequence[Leaf]) -> dict[str, torch.Tensor]:
        """The windows `indices` (B,) as a batch for policies."""
        history, chunk = self.history[indices], self.chunk[indices]
        batch = columns(self.observation[history], leaves)
        batch[OBSERVATION_IS_PAD] = self.history_is_pad[indices]
        batch[ACTION] = self.target[chunk]
        batch[ACTION_IS_PAD] = self.chunk_is_pad[indices]
        return batch


def columns(rows: torch.Tensor, leaves: Sequence[Leaf]) -> dict[str, torch.Tensor]:
    """Rows (..., D) split into the columns that policies take, (..., *shape) each."""
    return {
        leaf.spec.key: torch.unflatten(rows[..., leaf.begin : leaf.end], -1, leaf.spec.shape)
        for leaf in leaves
    }
