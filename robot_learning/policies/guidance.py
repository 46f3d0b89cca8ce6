"""Weights with which a new chunk is held to what is left of the previous one.

Black et al. 2025, "Real-time execution of action chunking flow policies"
(https://arxiv.org/abs/2506.07339): inference takes a while, in which the robot executes actions
of the previous chunk. The new chunk is generated so that it repeats those, and changes its mind
gently.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import e, exp

import torch
from torch import Tensor


@dataclass(frozen=True)
class Guidance:
    """What a chunk is guided to.

    Attributes:
        target: (B, T_a, n) in the dataset's units: the previous chunk, shifted to begin at the
            new one's first step; its values where the weight is 0 do not matter.
        weights: (T_a,) weight of each step, in [0, 1].
        limit: largest factor of the correction, β in the paper.
    """

    target: Tensor
    weights: Tensor
    limit: float = 5.0


def guidance_weights(steps: int, frozen_steps: int, overlap_steps: int) -> Tensor:
    """(steps,) the paper's soft mask, equation 5.

    1 for the frozen steps, falling towards 0 at the end of the overlap.

    Args:
        steps: length of the chunk, H in the paper.
        frozen_steps: steps that will have been executed before the chunk is ready, d in the paper.
        overlap_steps: steps that the previous chunk still covers, H - s in the paper.
    """
    values = []
    for step in range(steps):
        if step < frozen_steps:
            values.append(1.0)
        elif step < overlap_steps:
            # c falls linearly from below 1 to above 0; c (e^c - 1) / (e - 1) falls faster at first.
            share = (overlap_steps - step) / (overlap_steps - frozen_steps + 1)
            values.append(share * (exp(share) - 1) / (e - 1))
        else:
            values.append(0.0)
    return torch.tensor(values)
