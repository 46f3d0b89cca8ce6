"""The global random numbers of one device, which dropout draws from."""

from __future__ import annotations

import torch


def seed_dropout(device: torch.device, seed: int) -> None:
    """Seed the generator of dropout on `device`, with the effect of `torch.manual_seed(seed)`.

    That function also seeds every kind of accelerator. For those not in use it stores the call
    stack as text, which costs more than a small network's optimiser.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
