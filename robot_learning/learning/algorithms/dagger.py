"""DAgger's rules as pure functions: the mixture, the thresholds, and the weights of rows.

- Ross, Gordon, Bagnell, "A Reduction of Imitation Learning and Structured Prediction to
  No-Regret Online Learning", AISTATS 2011, https://arxiv.org/abs/1011.0686: the mixture.
- Kelly et al., "HG-DAgger", ICRA 2019, https://arxiv.org/abs/1810.02890: the disagreement
  threshold.
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
    """The expert's share beta in round `number`; 1 in round 0.

    Args:
        schedule: beta after round 0: `none` 0, `linear` max(0, 1 - number / over_rounds),
            `exponential` p^number.
        number: number of the round, from 0.
        p: base of the exponential schedule, in [0, 1].
        over_rounds: number of rounds after which the linear schedule reaches 0.

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
    """(N,) whether an intervention begins with a row.

    Args:
        intervention: (N,) whether the expert drove in a row.
        first_rows: (N,) whether an episode begins with a row.
    """
    before = np.concatenate([[False], intervention[:-1]])
    return np.asarray(intervention & (first_rows | ~before), np.bool_)


def rows_before_takeover(intervention: BoolArray, first_rows: BoolArray, steps: int) -> BoolArray:
    """(N,) the policy's rows within `steps` rows before an intervention of the same episode.

    These are the rows that led to what the human did not want to continue.

    Args:
        intervention: (N,) whether the expert drove in a row.
        first_rows: (N,) whether an episode begins with a row.
        steps: number of rows before each intervention; 0 for none.
    """
    found = np.zeros(len(intervention), np.bool_)
    reach = takeover_rows(intervention, first_rows)
    for _ in range(steps):
        # Mark the row before each marked one, unless the marked one begins an episode.
        reach = np.concatenate([(reach & ~first_rows)[1:], [False]])
        reach &= ~intervention
        found |= reach
    return found


def equal_mass_weights(intervention: BoolArray) -> npt.NDArray[np.float32]:
    """(N,) weights of mean 1 that give interventions and the rest half of the total each.

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
    disagreements: FloatArray, risks: FloatArray | None, discrepancies: FloatArray, rate: float
) -> Thresholds:
    """ThriftyDAgger's thresholds, such that a share `rate` of the steps exceeds each of the two.

    The policy asks for help where disagreement or risk is above its quantile 1 - rate over the
    visited states. It continues alone where risk is at most its median and the discrepancy at most
    the mean over the labels.

    Args:
        disagreements: (N,) disagreement of the present ensemble at states that the policy visited.
        risks: (N,) risk of the present policy at these states; None without a critic, where
            disagreement alone asks for help.
        discrepancies: (K,) |policy - expert|^2 at labelled states, in the action's units squared.
        rate: share of the steps in which each of the two is to ask for help, in [0, 1].
    """
    novelty = Thresholds(
        disagreement=budget_threshold(disagreements, rate),
        discrepancy=float(np.mean(discrepancies)) if len(discrepancies) else 0.0,
    )
    if risks is None or not len(risks):
        return novelty
    handback_risk = float(np.median(risks))
    return replace(novelty, risk=budget_threshold(risks, rate), handback_risk=handback_risk)


def disagreement_threshold(disagreements: FloatArray) -> float | None:
    """HG-DAgger's threshold: the mean of the last quarter of the disagreements at takeovers.

    Args:
        disagreements: (K,) disagreement of the ensemble at each takeover, oldest first.

    Returns:
        The threshold; None without takeovers.
    """
    quarter = -(-len(disagreements) // 4)
    return float(np.mean(disagreements[-quarter:])) if quarter else None
