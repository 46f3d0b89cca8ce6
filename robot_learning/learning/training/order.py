"""The order of training samples: a function of the seed and the step alone.

Nothing has to be stored to resume after a kill, and every process of a training knows the whole
batch of every step.
"""

from __future__ import annotations

import torch

# Different seeds share no generator seed for fewer epochs than this.
_EPOCHS_PER_SEED = 1_000_003


class SampleOrder:
    """An endless sequence of shuffled epochs, cut into batches."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count = count
        self.batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> torch.Tensor:
        """(batch_size,) indices of the samples of a step; steps count from 0."""
        begin, end = step * self.batch_size, (step + 1) * self.batch_size
        parts = []
        while begin < end:
            epoch, offset = divmod(begin, self.count)
            stop = min(self.count, offset + end - begin)
            parts.append(self._shuffled(epoch)[offset:stop])
            begin += stop - offset
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def epoch(self, step: int) -> float:
        """How often the data have been seen after `step` steps."""
        return step * self.batch_size / self.count

    def _shuffled(self, epoch: int) -> torch.Tensor:
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self._seed * _EPOCHS_PER_SEED + epoch)
            self._permutation = torch.randperm(self.count, generator=generator)
            self._epoch = epoch
        return self._permutation
