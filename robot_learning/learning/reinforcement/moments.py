"""Mean and variance of a stream of rows, batch after batch (Chan et al. 1979)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.training.perceptron import Array

# Numbers that vary less are centred and not scaled.
_SMALLEST_STD = 1e-4


class Moments:
    """Running mean and variance.

    Attributes:
        count: number of rows so far.
        mean: (D,) mean; zeros before the first row.
        variance: (D,) variance; ones before the first row.
    """

    def __init__(self, size: int) -> None:
        """Begin without rows.

        Args:
            size: number of columns D.
        """
        self.count = 0.0
        self.mean, self.variance = np.zeros(size), np.ones(size)

    def add(self, rows: Array) -> None:
        """Take in rows (N, D)."""
        added = len(rows)
        if not added:
            return
        mean, variance = rows.mean(axis=0, dtype=np.float64), rows.var(axis=0, dtype=np.float64)
        total = self.count + added
        shift = mean - self.mean
        squares = self.variance * self.count + variance * added
        self.variance = (squares + shift * shift * self.count * added / total) / total
        self.mean = self.mean + shift * added / total
        self.count = total

    @property
    def std(self) -> FloatArray:
        """(D,) standard deviation; 1 where the numbers hardly vary."""
        std = np.sqrt(self.variance)
        return np.where(std < _SMALLEST_STD, 1.0, std)

    def arrays(self, name: str) -> dict[str, FloatArray]:
        """What `restore` needs, under names that begin with `name`."""
        return {
            f"{name}_count": np.array(self.count),
            f"{name}_mean": self.mean,
            f"{name}_variance": self.variance,
        }

    def restore(self, name: str, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from what `arrays` gave."""
        self.count = float(arrays[f"{name}_count"])
        self.mean, self.variance = arrays[f"{name}_mean"], arrays[f"{name}_variance"]
