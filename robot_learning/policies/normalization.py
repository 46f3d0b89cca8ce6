"""Normalisation as an affine map per dimension, kept in buffers and so within the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from robot_learning.core.errors import unknown_choice
from robot_learning.policies.errors import PolicyError
from robot_learning.policies.statistics import ColumnStatistics, FloatArray, NormalizationMode

# A dimension that varies less than this (rad, m, or an image's [0, 1]) counts as constant: it is
# centred and not scaled, so that noise in it does not explode.
SMALLEST_SPREAD = 1e-4
# A parked joint whose encoder slipped once has a deviation that says nothing of where it may stand:
# no row of the dataset comes further than this many deviations from the mean.
_MOST_DEVIATIONS = 10.0
# Statistics that were made to be this far apart stay what they are.
_ROUNDING = 1e-6
NARROW_MARGIN = 0.1
"""How far beyond its range in the dataset a narrow number may go, as a share of that range."""
# Finite, as every weight of a checkpoint is.
_FAR = float(np.finfo(np.float32).max)


class Normalizer(nn.Module):
    """y = (x - offset) * scale over the last dimensions, `shape`.

    Modes: `limits` maps minimum and maximum to -1 and 1, `quantiles` the 1 % and 99 %
    quantiles (what lies beyond goes beyond), `gaussian` gives mean 0 and deviation 1, or less
    where a few rows lie so far away that they would come further than 10.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, offset: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("offset", offset)
        self.register_buffer("scale", scale)

    @classmethod
    def of(
        cls,
        key: str,
        shape: tuple[int, ...],
        mode: NormalizationMode,
        statistics: Mapping[str, ColumnStatistics] | None,
    ) -> Normalizer:
        """The map for the column `key`; without statistics the identity, to be loaded.

        Args:
            key: key of the column.
            shape: shape of one row.
            mode: how the column is normalised.
            statistics: statistics of each column, by its key; None for the identity.

        Raises:
            PolicyError: there is no such mode; the column's statistics are missing, of
                another shape, or not finite.
        """
        if mode not in get_args(NormalizationMode):
            raise PolicyError(unknown_choice("normalisation", mode, get_args(NormalizationMode)))
        if statistics is None or mode == "none":
            return cls(torch.zeros(shape), torch.ones(shape))
        offset, spread = _centre_and_spread(mode, _statistics_of(key, statistics))
        _refuse_unusable(key, shape, offset, spread)
        constant = spread < SMALLEST_SPREAD
        scale = 1.0 / np.where(constant, 1.0, spread)
        return cls(
            torch.from_numpy(offset.astype(np.float32)), torch.from_numpy(scale.astype(np.float32))
        )

    def forward(self, values: Tensor) -> Tensor:
        """From the data's units."""
        return (values - self.offset) * self.scale

    def normalize(self, values: Tensor) -> Tensor:
        """From the data's units."""
        return self.forward(values)

    def denormalize(self, values: Tensor) -> Tensor:
        """Back into the data's units."""
        return values / self.scale + self.offset


class Range(nn.Module):
    """Cuts values to `low` and `high`, of the shape of the last dimensions.

    A number that hardly varied in the dataset (a parked joint, of which one sees the encoder's
    noise) is scaled up to the size of the others. Where it stands elsewhere later, it would lead
    the network far from everything that it learned.
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low)
        self.register_buffer("high", high)

    @classmethod
    def of(
        cls,
        key: str,
        shape: tuple[int, ...],
        margin: float | None,
        statistics: Mapping[str, ColumnStatistics] | None,
        narrow: float = 0.0,
    ) -> Range:
        """From minimum to maximum of the column `key`, and a margin at each end.

        Without statistics the range is all zeros, to be loaded.

        Args:
            key: key of the column.
            shape: shape of one row.
            margin: margin at each end, as a share of the range; None cuts only numbers of a
                `narrow` range, with `NARROW_MARGIN`.
            statistics: statistics of each column, by its key; None for zeros.
            narrow: range below which a number is cut without a margin being set, in the column's
                unit, as is one that stands still but in a few rows; 0 cuts none.

        Raises:
            PolicyError: the column's statistics are missing, of another shape, or not finite.
        """
        if statistics is None:
            return cls(torch.zeros(shape), torch.zeros(shape))
        found = _statistics_of(key, statistics)
        low, high = np.asarray(found.minimum), np.asarray(found.maximum)
        _refuse_unusable(key, shape, low, high)
        width = high - low
        wider = (NARROW_MARGIN if margin is None else margin) * width
        is_cut = _are_still(found, narrow) if margin is None else np.ones(shape, np.bool_)
        low, high = np.where(is_cut, low - wider, -_FAR), np.where(is_cut, high + wider, _FAR)
        return cls(
            torch.from_numpy(low.astype(np.float32)), torch.from_numpy(high.astype(np.float32))
        )

    def forward(self, values: Tensor) -> Tensor:
        """In the data's units; what is not a number stays so."""
        return values.clamp(self.low, self.high)


def narrow_numbers(statistics: ColumnStatistics, narrow: float) -> npt.NDArray[np.bool_]:
    """Which numbers of a column lie less than `narrow` apart in the dataset, but not at one place.

    One that stands still but in a few rows is among them. They have the shape of a row.
    """
    varies = np.asarray(statistics.maximum) > np.asarray(statistics.minimum)
    return np.asarray(varies & _are_still(statistics, narrow))


def _are_still(statistics: ColumnStatistics, narrow: float) -> npt.NDArray[np.bool_]:
    """Which numbers lie less than `narrow` apart, all or but for a few rows; none for 0."""
    width = np.asarray(statistics.maximum) - np.asarray(statistics.minimum)
    return np.asarray((width < narrow) | ((_spread(statistics) > statistics.std) & (narrow > 0.0)))


def _spread(statistics: ColumnStatistics) -> FloatArray:
    """The standard deviation; more where a row lies further from the mean than the most."""
    mean, deviation = np.asarray(statistics.mean), np.asarray(statistics.std)
    above, below = np.asarray(statistics.maximum) - mean, mean - np.asarray(statistics.minimum)
    least = np.maximum(above, below) / _MOST_DEVIATIONS
    return np.where(least > deviation * (1.0 + _ROUNDING), least, deviation)


def _statistics_of(key: str, statistics: Mapping[str, ColumnStatistics]) -> ColumnStatistics:
    if key not in statistics:
        raise PolicyError(unknown_choice("column without statistics", key, statistics))
    return statistics[key]


def _refuse_unusable(key: str, shape: tuple[int, ...], *found: FloatArray) -> None:
    for values in found:
        if values.shape != shape:
            raise PolicyError(f"statistics of '{key}' are {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            bad = np.argwhere(~np.isfinite(values)).tolist()
            raise PolicyError(f"'{key}' has no finite statistics at {bad}; leave it out")


def _centre_and_spread(
    mode: NormalizationMode, statistics: ColumnStatistics
) -> tuple[FloatArray, FloatArray]:
    if mode == "gaussian":
        return np.asarray(statistics.mean), _spread(statistics)
    if mode == "limits":
        low, high = np.asarray(statistics.minimum), np.asarray(statistics.maximum)
    else:
        low, high = np.asarray(statistics.q01), np.asarray(statistics.q99)
    return (low + high) / 2, (high - low) / 2
