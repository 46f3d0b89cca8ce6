"""Statistics of features as LeRobot stores them: an episode's, and the whole dataset's.

Vectors are described exactly, over all rows. Images are described by sampled frames, through a
histogram of each channel, whose values are scaled to [0, 1] and whose shape is (3, 1, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.types import UInt8Array

QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
Statistics = Mapping[str, npt.NDArray[Any]]
_PIXEL_STRIDE = 4


def vector_statistics(values: npt.NDArray[Any]) -> Statistics:
    """Over the rows of (rows, *shape); a number a row has the shape (1,)."""
    rows = values.astype(np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    quantiles = np.quantile(rows, list(QUANTILES.values()), axis=0)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([len(rows)]),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }


class ImageHistogram:
    """The values of each colour channel in sampled frames."""

    def __init__(self) -> None:
        self.frames = 0
        self._counts = np.zeros((3, 256), np.int64)

    def add(self, pixels: UInt8Array) -> None:
        """Take a frame, (height, width, 3)."""
        sampled = pixels[::_PIXEL_STRIDE, ::_PIXEL_STRIDE].reshape(-1, 3)
        for channel in range(3):
            self._counts[channel] += np.bincount(sampled[:, channel], minlength=256)
        self.frames += 1

    def merge(self, other: ImageHistogram) -> None:
        """Take another one's frames too."""
        self._counts += other._counts
        self.frames += other.frames

    def statistics(self) -> Statistics:
        """Of all frames, (3, 1, 1) each; `count` is the number of frames."""
        values = np.arange(256) / 255.0
        total = self._counts.sum(axis=1)
        mean = self._counts @ values / total
        variance = self._counts @ values**2 / total - mean**2
        cumulative = np.cumsum(self._counts, axis=1) / total[:, None]
        present = self._counts > 0

        def quantile(fraction: float) -> npt.NDArray[Any]:
            found: npt.NDArray[Any] = values[np.argmax(cumulative >= fraction - 1e-12, axis=1)]
            return found

        described = {
            "min": values[present.argmax(axis=1)],
            "max": values[255 - present[:, ::-1].argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(variance, 0.0)),
            **{name: quantile(fraction) for name, fraction in QUANTILES.items()},
        }
        shaped = {name: value.reshape(3, 1, 1) for name, value in described.items()}
        return {**shaped, "count": np.array([self.frames])}


def sampled_rows(rows: int, frames: int = 32) -> frozenset[int]:
    """At most `frames` rows, evenly spaced, whose frames represent the episode."""
    return frozenset(np.linspace(0, rows - 1, min(frames, rows)).round().astype(int).tolist())
