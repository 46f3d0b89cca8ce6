"""Windows as PyTorch tensors. The only file of this folder that imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    get_worker_info,
)
from torch.utils.data import Dataset as TorchDataset

from robot_learning.episodes.dataset.windows import Batch, Windows

TensorBatch = dict[str, torch.Tensor]


class TorchWindows(TorchDataset[TensorBatch]):
    """A map-style dataset; an index gives one window, a list of indices a batch at once.

    Images come channels first, (…, channels, height, width), still uint8. Safe in worker
    processes, however they are started.
    """

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._in_worker = False

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int | Sequence[int]) -> TensorBatch:
        if get_worker_info() is not None and not self._in_worker:
            self._in_worker = True
            self.windows.decode_alone()
        if isinstance(index, int):
            return self._tensors(self.windows[index])
        return self._tensors(self.windows.batch(index))

    def _tensors(self, batch: Batch) -> TensorBatch:
        tensors = {}
        for key, values in batch.items():
            tensor = torch.from_numpy(np.ascontiguousarray(values))
            # Channels first in shape; in memory they stay last, which saves a copy.
            tensors[key] = tensor.movedim(-1, -3) if key in self.windows.image_keys else tensor
        return tensors


def make_loader(
    windows: Windows,
    batch_size: int,
    *,
    shuffle: bool = True,
    drop_last: bool = False,
    workers: int = 0,
    seed: int = 0,
) -> DataLoader[TensorBatch]:
    """A loader that gathers whole batches, which is many times faster than single windows.

    Args:
        windows: the windows to load.
        batch_size: windows in a batch.
        shuffle: whether the order is random; otherwise windows come in order.
        drop_last: whether a last batch with fewer windows is left out.
        workers: number of worker processes; 0 loads in this one.
        seed: seed of the order; equal seeds give equal orders.
    """
    dataset = TorchWindows(windows)
    sampler = (
        RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))
        if shuffle
        else SequentialSampler(dataset)
    )
    batches = BatchSampler(sampler, batch_size, drop_last)
    return DataLoader(dataset, sampler=batches, batch_size=None, num_workers=workers)
