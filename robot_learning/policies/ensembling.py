"""Temporal ensembling: the average of what several chunks say about the same instant.

Zhao et al. 2023 (https://arxiv.org/abs/2304.13705), section IV-A: weights w_i = exp(-m i), where
i = 0 is the oldest chunk, so that a new one is taken in slowly; m = 0.01.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DECAY = 0.01

FloatArray = npt.NDArray[np.float64]


def ensembling_weights(count: int, decay: float = DECAY) -> FloatArray:
    """(count,) weights that sum to 1, the oldest chunk's first."""
    weights = np.exp(-decay * np.arange(count))
    return np.asarray(weights / weights.sum())


def ensemble(predictions: npt.ArrayLike, decay: float = DECAY) -> FloatArray:
    """(n,) the action from `predictions` (count, n) for one instant, the oldest chunk's first.

    Raises:
        ValueError: there are no predictions.
    """
    values = np.asarray(predictions, np.float64)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"predictions for one instant are (count, n), not {values.shape}")
    return np.asarray(ensembling_weights(len(values), decay) @ values)


def ensemble_chunks(
    chunks: npt.ArrayLike, ages_steps: npt.ArrayLike, decay: float = DECAY
) -> FloatArray:
    """(n,) the action for now.

    A chunk that ended before now, or begins after it, says nothing.

    Args:
        chunks: (count, T, n) chunks, in any order.
        ages_steps: (count,) number of steps since each chunk began.
        decay: m of the weights exp(-m i), with i = 0 the oldest chunk.

    Raises:
        ValueError: no chunk covers now.
    """
    values, ages = np.asarray(chunks, np.float64), np.asarray(ages_steps, np.int64)
    covers = (ages >= 0) & (ages < values.shape[1])
    if not covers.any():
        raise ValueError("no chunk covers the present step")
    values, ages = values[covers], ages[covers]
    oldest_first = np.argsort(-ages, kind="stable")
    return ensemble(values[oldest_first, ages[oldest_first]], decay)
