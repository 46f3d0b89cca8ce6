"""Chunks that reach beyond their episode: what they are filled with, and which steps count."""

from __future__ import annotations

import torch
from torch import Tensor


def fill_padding(values: Tensor, is_pad: Tensor) -> Tensor:
    """Repeat into each padded step the nearest earlier unpadded one, or else the first.

    `values` (B, T, n), `is_pad` (B, T) bool. A sample with no unpadded step becomes zeros.
    """
    valid = ~is_pad
    steps = torch.arange(is_pad.shape[1], device=is_pad.device).expand_as(is_pad)
    last = torch.where(valid, steps, -1).cummax(dim=1).values
    first = valid.int().argmax(dim=1, keepdim=True)
    source = torch.where(last < 0, first, last)
    filled = values.gather(1, source.unsqueeze(-1).expand_as(values))
    return torch.where(valid.any(dim=1)[:, None, None], filled, torch.zeros_like(filled))


def mean_unpadded(per_step: Tensor, is_pad: Tensor) -> Tensor:
    """(B,) the mean of `per_step` (B, T) over each sample's unpadded steps; 0 if none.

    Each sample is divided by its own count, so that a batch split over several processes has
    the same gradient as in one.
    """
    weight = (~is_pad).to(per_step.dtype)
    total = torch.where(is_pad, torch.zeros_like(per_step), per_step).sum(dim=1)
    return total / weight.sum(dim=1).clamp(min=1.0)
