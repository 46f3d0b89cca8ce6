"""One training in several processes, as torchrun starts them: each takes a share of a batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

import torch
from torch import distributed

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import ComputeDevice

_TORCHRUN = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
DEVICES = get_args(ComputeDevice)


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of a training; `rank` 0 writes and reports."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def share(self, indices: torch.Tensor) -> torch.Tensor:
        """The part of a batch's indices (B,) that this process takes."""
        return indices[self.rank :: self.count]

    def barrier(self) -> None:
        """Wait for the others."""
        if self.count > 1:
            distributed.barrier()

    def add(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of the processes' values."""
        if self.count == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total

    def agree(self, value: bool) -> bool:
        """The main process's value, in every process."""
        if self.count == 1:
            return value
        told = torch.tensor([int(value)], dtype=torch.int64)
        if distributed.get_backend() == "nccl":
            told = told.cuda(self.local_rank)
        distributed.broadcast(told, src=0)
        return bool(told.item())


def is_first_process() -> bool:
    """Whether this process reports for all: the first of torchrun's, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def process_group(device: str) -> Iterator[Processes]:
    """Join the process group that torchrun's environment describes; without one, run alone.

    Raises:
        ConfigurationError: the environment is incomplete.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    missing = [name for name in _TORCHRUN if name not in os.environ]
    if missing:
        raise ConfigurationError(
            f"WORLD_SIZE is {count}, but {', '.join(missing)} is not set; start with torchrun"
        )
    joined_here = not distributed.is_initialized()
    if joined_here:
        uses_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        distributed.init_process_group("nccl" if uses_cuda else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, int(os.environ["LOCAL_RANK"]))
    finally:
        if joined_here:
            distributed.destroy_process_group()


def choose_device(name: str, processes: Processes) -> torch.device:
    """The device of this process.

    Raises:
        ConfigurationError: an unknown name, or the machine has no such device.
    """
    if name not in DEVICES:
        raise ConfigurationError(unknown_choice("device", name, DEVICES))
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if has_cuda else "mps" if has_mps and processes.count == 1 else "cpu"
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise ConfigurationError(f"there is no {name} device here; take device=auto or cpu")
    if name == "cuda":
        if processes.local_rank >= torch.cuda.device_count():
            started = amount(processes.count, "process", "processes")
            raise ConfigurationError(f"{started}, but {amount(torch.cuda.device_count(), 'GPU')}")
        return torch.device("cuda", processes.local_rank)
    return torch.device(name)
