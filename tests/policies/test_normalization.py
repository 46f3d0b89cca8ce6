"""Each mode on known numbers; constant and unusable dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_learning.policies.errors import PolicyError
from robot_learning.policies.normalization import Normalizer, Range, narrow_numbers
from robot_learning.policies.statistics import MeasuredStatistics, NormalizationMode

ROWS = np.stack([np.linspace(-3, 5, 1001), np.linspace(0, 1e-6, 1001) + 2, np.full(1001, 7.0)], 1)


def normalized(mode: NormalizationMode, rows: np.ndarray = ROWS) -> tuple[Normalizer, torch.Tensor]:
    statistics = {"x": MeasuredStatistics.of(rows)}
    normalizer = Normalizer.of("x", rows.shape[1:], mode, statistics)
    return normalizer, normalizer.normalize(torch.from_numpy(rows.astype(np.float32)))


def test_limits_reach_one() -> None:
    _, found = normalized("limits")
    assert found[:, 0].min().item() == pytest.approx(-1)
    assert found[:, 0].max().item() == pytest.approx(1)


def test_quantiles_ignore_outliers() -> None:
    rows = ROWS[:, :1].copy()
    rows[0], rows[-1] = -1e4, 1e4
    _, found = normalized("quantiles", rows)
    inner = found[11:-11]
    assert inner.min().item() == pytest.approx(-1, abs=0.01)
    assert inner.max().item() == pytest.approx(1, abs=0.01)
    assert found[-1].item() > 1000, "what lies beyond goes beyond"


def test_gaussian_has_mean_zero_and_deviation_one() -> None:
    _, found = normalized("gaussian")
    assert found[:, 0].mean().item() == pytest.approx(0, abs=1e-5)
    assert found[:, 0].std().item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("mode", ["limits", "quantiles", "gaussian"])
def test_constant_dimensions_do_not_explode(mode: NormalizationMode) -> None:
    normalizer, found = normalized(mode)
    assert found[:, 1:].abs().max() < 1e-3
    moved = torch.tensor([[0.0, 2.01, 7.5]])
    assert normalizer.normalize(moved)[0, 1:].tolist() == pytest.approx([0.01, 0.5], abs=1e-3)


@pytest.mark.parametrize("mode", ["limits", "quantiles", "gaussian", "none"])
def test_there_and_back(mode: NormalizationMode) -> None:
    normalizer, found = normalized(mode)
    back = normalizer.denormalize(found)
    torch.testing.assert_close(back, torch.from_numpy(ROWS.astype(np.float32)), atol=1e-5, rtol=0)
    if mode == "none":
        assert torch.equal(found, back)


def test_unusable_statistics_are_refused() -> None:
    rows = ROWS.copy()
    rows[:, 1] = np.nan
    with pytest.raises(PolicyError, match=r"'x' has no finite statistics at \[\[1\]\]; leave it"):
        normalized("limits", rows)
    with pytest.raises(PolicyError, match=r"statistics of 'x' are \(3,\), not \(2,\)"):
        Normalizer.of("x", (2,), "limits", {"x": MeasuredStatistics.of(ROWS)})
    with pytest.raises(PolicyError, match=r"column without statistics 'y'.*valid: x"):
        Normalizer.of("y", (3,), "limits", {"x": MeasuredStatistics.of(ROWS)})
    with pytest.raises(PolicyError, match=r"did you mean 'limits'"):
        Normalizer.of("x", (3,), "limit", None)  # type: ignore[arg-type]


def test_a_range_cuts_beyond_what_the_dataset_has_and_its_margin() -> None:
    rows = np.array([[0.0, 5.0], [10.0, 5.0]])
    statistics = {"x": MeasuredStatistics.of(rows)}
    limit = Range.of("x", (2,), 0.1, statistics)
    values = torch.tensor([[-7.0, 4.0], [10.5, 5.0], [12.0, torch.nan]])
    expected = torch.tensor([[-1.0, 5.0], [10.5, 5.0], [11.0, torch.nan]])
    torch.testing.assert_close(limit(values), expected, equal_nan=True)
    with pytest.raises(PolicyError, match=r"statistics of 'x' are \(2,\), not \(3,\)"):
        Range.of("x", (3,), 0.1, statistics)
    with pytest.raises(PolicyError, match="column without statistics"):
        Range.of("y", (2,), 0.1, statistics)


TICK = 2 * np.pi / 4096


@pytest.mark.parametrize("noise", [TICK, 3 * TICK, 1e-5, 0.0, 0.02])
@pytest.mark.parametrize("off", [0.005, -0.05, 0.2, 3.0])
def test_a_parked_joint_that_stands_elsewhere_leads_nowhere(noise: float, off: float) -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.uniform(-1, 1, 3000), 0.3 + noise * rng.uniform(-1, 1, 3000)], 1)
    statistics = {"x": MeasuredStatistics.of(rows)}
    limit = Range.of("x", (2,), None, statistics, narrow=0.1)
    normalizer = Normalizer.of("x", (2,), "gaussian", statistics)
    seen = normalizer(limit(torch.tensor([[0.5, 0.3 + off]])))[0]
    # Every row of the dataset lies within 2 deviations of such noise.
    assert abs(seen[1].item()) < 2.2
    # A joint that moves is not cut, however far it goes.
    moved = torch.tensor([[7.0, 0.3]])
    assert limit(moved)[0, 0].item() == 7.0
    assert narrow_numbers(statistics["x"], 0.1).tolist() == [False, noise > 0]


@pytest.mark.parametrize("spike", [0.2, -0.3, 3.0])
@pytest.mark.parametrize("off", [0.05, -0.05, -0.2, 0.2, -4.0])
def test_a_parked_joint_that_slipped_once_leads_nowhere_either(spike: float, off: float) -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.uniform(-1, 1, 3000), 0.3 + rng.normal(0, TICK / 2, 3000)], 1)
    rows[777, 1] += spike
    statistics = {"x": MeasuredStatistics.of(rows)}
    limit = Range.of("x", (2,), None, statistics, narrow=0.1)
    normalizer = Normalizer.of("x", (2,), "gaussian", statistics)
    seen = normalizer(limit(torch.tensor([[7.0, 0.3 + off], [-1.0, 0.3 + spike]])))
    # The row of the spike comes to 10, and nothing much further.
    assert seen[1, 1].item() == pytest.approx(np.sign(spike) * 10, abs=0.2)
    assert seen[0, 1].abs().item() < 11.5
    if off * spike < 0.0:
        assert seen[0, 1].abs().item() < 1.5
    assert seen[0, 0].item() > 7.0, "a joint that moves is not cut"
    assert narrow_numbers(statistics["x"], 0.1).tolist() == [False, True]
    assert narrow_numbers(statistics["x"], 0.0).tolist() == [False, False]
