"""Temporal ensembling by hand."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from robot_learning.policies.ensembling import ensemble, ensemble_chunks, ensembling_weights


def test_weights_favour_the_oldest() -> None:
    total = 1 + exp(-0.01) + exp(-0.02)
    np.testing.assert_allclose(
        ensembling_weights(3), [1 / total, exp(-0.01) / total, exp(-0.02) / total]
    )
    np.testing.assert_allclose(ensembling_weights(4, decay=0.0), 0.25)


def test_average_of_predictions() -> None:
    found = ensemble([[1.0, 10.0], [2.0, 20.0]], decay=np.log(3))
    np.testing.assert_allclose(found, [0.75 * 1 + 0.25 * 2, 0.75 * 10 + 0.25 * 20])
    with pytest.raises(ValueError, match="count, n"):
        ensemble([])


def test_chunks_speak_for_the_present_step() -> None:
    # Chunks that began 2, 0, 5 and 1 steps ago, of 4 steps each; the third has ended.
    chunks = np.arange(4 * 4, dtype=float).reshape(4, 4, 1)
    found = ensemble_chunks(chunks, [2, 0, 5, 1], decay=np.log(2))
    oldest, middle, newest = chunks[0, 2, 0], chunks[3, 1, 0], chunks[1, 0, 0]
    np.testing.assert_allclose(found, [(4 * oldest + 2 * middle + newest) / 7])
    with pytest.raises(ValueError, match="no chunk covers"):
        ensemble_chunks(chunks, [4, -1, 9, 5])
