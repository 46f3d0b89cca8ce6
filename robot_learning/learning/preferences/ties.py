"""The names of the likelihoods of rankings with ties, without what computes them."""

from __future__ import annotations

from typing import Literal, get_args

Ties = Literal["davidson", "rao-kupper", "half-win", "drop"]
TIES: tuple[Ties, ...] = get_args(Ties)
