"""Statistics of columns, and the ways to normalise by them, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
NormalizationMode = Literal["limits", "quantiles", "gaussian", "none"]


class ColumnStatistics(Protocol):
    """What normalisation needs to know of a column; each array has the shape of one row.

    The statistics of a dataset fit as they are.
    """

    @property
    def mean(self) -> FloatArray: ...  # noqa: D102
    @property
    def std(self) -> FloatArray: ...  # noqa: D102
    @property
    def minimum(self) -> FloatArray: ...  # noqa: D102
    @property
    def maximum(self) -> FloatArray: ...  # noqa: D102
    @property
    def q01(self) -> FloatArray: ...  # noqa: D102
    @property
    def q99(self) -> FloatArray: ...  # noqa: D102


@dataclass(frozen=True)
class MeasuredStatistics:
    """Statistics of an array at hand, for data that are in no dataset."""

    mean: FloatArray
    std: FloatArray
    minimum: FloatArray
    maximum: FloatArray
    q01: FloatArray
    q99: FloatArray

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> MeasuredStatistics:
        """Statistics over the first axis of (rows, *shape)."""
        data = np.asarray(values, np.float64)
        q01, q99 = np.quantile(data, [0.01, 0.99], axis=0)
        return cls(data.mean(0), data.std(0), data.min(0), data.max(0), q01, q99)


Statistics = Mapping[str, ColumnStatistics]
