"""DAgger's rules as pure functions: the mixture, the thresholds, and which rows count how much.

- Ross, Gordon, Bagnell, "A Reduction of Imitation Learning and Structured Prediction to
  No-Regret Online Learning", AISTATS 2011, https://arxiv.org/abs/1011.0686: the mixture.
- Kelly et al., "HG-DAgger", ICRA 2019, https://arxiv.org/abs/1810.02890: the doubt threshold.
- Hoque et al., "ThriftyDAgger", CoRL 2021, https://arxiv.org/abs/2109.08273: thresholds from a
  budget of interventions.
- Mandlekar et al., "Human-in-the-Loop Imitation Learning using Remote Teleoperation", 2020,
  https://arxiv.org/abs/2012.06733: intervention weighted regression (IWR).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.policies.gate import Thresholds

SCHEDULES = ("none", "linear", "exponential")


def mixture_beta(schedule: str, number: int, p: float = 0.5, over_rounds: int = 1) -> float:
    """The share of the expert in round `number`, counted from 0, where it is 1.

    Args:
        schedule: `none` 0, `linear` max(0, 1 - number / over_rounds), `exponential` p^number.
        number: of the round.
        p: of the exponential schedule.
        over_rounds: of the linear one.

    Raises:
        ConfigurationError: no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ConfigurationError(unknown_choice("mixture", schedule, SCHEDULES))
    if number == 0:
        return 1.0
    if schedule == "linear":
        return max(0.0, 1.0 - number / over_rounds)
    return p**number if schedule == "exponential" else 0.0


def takeover_rows(intervention: BoolArray, first_rows: BoolArray) -> BoolArray:
    """(N,) the rows with which an intervention begins.

    Args:
        intervention: (N,) rows in which the expert drove.
        first_rows: (N,) rows with which an episode begins.
    """
    before = np.concatenate([[False], intervention[:-1]])
    return np.asarray(intervention & (first_rows | ~before), np.bool_)


def rows_before_takeover(intervention: BoolArray, first_rows: BoolArray, steps: int) -> BoolArray:
    """(N,) the policy's rows of which an intervention begins at most `steps` rows later.

    Those that led to what the human did not want to see go on; never of another episode.
    """
    found = np.zeros(len(intervention), np.bool_)
    reach = takeover_rows(intervention, first_rows)
    for _ in range(steps):
        # A row before a marked one is marked, unless the marked one begins an episode.
        reach = np.concatenate([(reach & ~first_rows)[1:], [False]])
        reach &= ~intervention
        found |= reach
    return found


def equal_mass_weights(intervention: BoolArray) -> npt.NDArray[np.float32]:
    """(N,) weights of mean 1 that give interventions and the rest half of the mass each.

    Where one of the two is empty, all weights are 1.
    """
    count, total = int(np.count_nonzero(intervention)), len(intervention)
    weights = np.ones(total, np.float32)
    if 0 < count < total:
        weights[intervention] = total / (2.0 * count)
        weights[~intervention] = total / (2.0 * (total - count))
    return weights


def budget_threshold(values: npt.ArrayLike, rate: float) -> float:
    """The threshold that a share `rate` of `values` (N,) exceeds; infinity without values."""
    found = np.asarray(values, np.float64)
    return float(np.quantile(found, 1.0 - rate)) if found.size else float("inf")


def budget_thresholds(
    doubts: FloatArray, risks: FloatArray | None, discrepancies: FloatArray, rate: float
) -> Thresholds:
    """ThriftyDAgger's thresholds, such that a share `rate` of the steps exceeds each of the two.

    Doubt and risk ask above their quantiles 1 - rate over what the policy visits; it goes on
    where risk is at most its median and the discrepancy at most the mean over the labels.

    Args:
        doubts: (N,) of the present ensemble at states that the policy visited.
        risks: (N,) of the present policy there; None where nothing tells: doubt asks alone.
        discrepancies: (K,) |policy - expert|^2 at labelled states.
        rate: of the steps.
    """
    novelty = Thresholds(
        doubt=budget_threshold(doubts, rate),
        discrepancy=float(np.mean(discrepancies)) if len(discrepancies) else 0.0,
    )
    if risks is None or not len(risks):
        return novelty
    calm_risk = float(np.median(risks))
    return replace(novelty, risk=budget_threshold(risks, rate), calm_risk=calm_risk)


def doubt_threshold(doubts: FloatArray) -> float | None:
    """HG-DAgger's threshold: the mean of the last quarter of the doubts at takeovers.

    Args:
        doubts: (K,) the ensemble's doubt at each takeover, in the order of their time.

    Returns:
        None without takeovers.
    """
    quarter = -(-len(doubts) // 4)
    return float(np.mean(doubts[-quarter:])) if quarter else None
