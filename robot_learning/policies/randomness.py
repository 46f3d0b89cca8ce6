"""Random tensors from an explicit generator, on whatever device they are needed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normal(shape: Sequence[int], device: torch.device, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers.

    Args:
        shape: shape of the result.
        device: device of the result.
        generator: source of randomness; None for the device's global one.
    """
    source = device if generator is None else generator.device
    return torch.randn(tuple(shape), device=source, generator=generator).to(device)


def uniform(
    shape: Sequence[int], device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Numbers uniform in [0, 1).

    Args:
        shape: shape of the result.
        device: device of the result.
        generator: source of randomness; None for the device's global one.
    """
    source = device if generator is None else generator.device
    return torch.rand(tuple(shape), device=source, generator=generator).to(device)


def integers(
    bound: int, shape: Sequence[int], device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """int64 uniform in 0 to `bound` - 1.

    Args:
        bound: number above the largest one that is drawn.
        shape: shape of the result.
        device: device of the result.
        generator: source of randomness; None for the device's global one.
    """
    source = device if generator is None else generator.device
    return torch.randint(bound, tuple(shape), device=source, generator=generator).to(device)


def uniform_from_normal(values: Tensor) -> Tensor:
    """Standard normal numbers as uniform ones in [0, 1], by their distribution function.

    All noise that a policy takes is normal, so that an exported one has a single noise input.
    """
    return 0.5 * (1.0 + torch.erf(values / 2.0**0.5))
