"""Sinusoidal embeddings of positions and times. Vaswani et al. 2017, section 3.5."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor


def sinusoids(positions: Tensor, features: int) -> Tensor:
    """(..., features) sines, then cosines, of `positions` (...) at falling frequencies."""
    half = features // 2
    exponents = torch.arange(half, device=positions.device) / max(half - 1, 1)
    angles = positions.unsqueeze(-1) * torch.exp(-log(10_000.0) * exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def image_sinusoids(height: int, width: int, features: int, device: torch.device) -> Tensor:
    """(height·width, features): half for the row, half for the column of each cell.

    As DETR does (Carion et al. 2020), rows and columns scaled to 2π.

    Args:
        height: rows of cells.
        width: columns of cells.
        features: numbers for each cell, a multiple of 4.
        device: device of the result.
    """
    half = features // 2
    scale = 2 * torch.pi
    rows = (torch.arange(height, device=device) + 1) / height * scale
    columns = (torch.arange(width, device=device) + 1) / width * scale
    row = sinusoids(rows, half)[:, None].expand(height, width, -1)
    column = sinusoids(columns, half)[None].expand(height, width, -1)
    return torch.cat([row, column], dim=-1).flatten(0, 1)
