"""The counts of a round: labels, steps, the expert's time, takeovers and requests for help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from robot_learning.learning.algorithms.dagger import disagreement_threshold, takeover_rows
from robot_learning.learning.imitation.collecting import Plan
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, Rows, label_count
from robot_learning.learning.imitation.drivers import RobotGatedDriver


def round_counts(
    config: ImitationConfig, episodes: Sequence[Episode], plan: Plan, step_s: float
) -> dict[str, Any]:
    """The fields of a `RoundResult` that are counts.

    Args:
        config: settings of the run.
        episodes: all episodes collected so far, including those of the round.
        plan: plan of the round.
        step_s: seconds of the environment's time per step.
    """
    rows = Rows.of(episodes)
    assert rows is not None  # noqa: S101 (a round collects)
    asked = rows.expert_drove | rows.labelled
    watched = rows.round >= 0 if config.gate.kind == "human" else asked
    numbers = sum(episode.header.numbers for episode in episodes)
    counts: dict[str, Any] = {
        "labels": label_count(episodes),
        "episodes": len(episodes),
        "env_steps": len(rows),
        "expert_s": float(np.count_nonzero(asked)) * step_s,
        "watched_s": float(np.count_nonzero(watched)) * step_s,
        "clipped_share": sum(e.header.clipped for e in episodes) / max(1, numbers),
        "noise_trace": plan.noise_trace,
        "beta": plan.beta,
    }
    if config.is_gated and plan.number:
        counts |= _gated_counts(rows, [e for e in episodes if e.header.round == plan.number], plan)
    return counts


def _gated_counts(rows: Rows, of_round: Sequence[Episode], plan: Plan) -> dict[str, Any]:
    takeovers = takeover_rows(rows.expert_drove, rows.first) & (rows.round > 0)
    drove = np.concatenate([episode.expert_drove for episode in of_round])
    disagreements = rows.disagreement[takeovers].astype(np.float64)
    counts: dict[str, Any] = {
        "intervention_rate": float(drove.mean()),
        "takeovers": int(np.count_nonzero(takeovers & (rows.round == plan.number))),
        "disagreement_threshold": disagreement_threshold(disagreements[np.isfinite(disagreements)]),
    }
    if isinstance(plan.driver, RobotGatedDriver):
        counts["asked_novelty"] = sum(episode.header.asked_novelty for episode in of_round)
        if plan.driver.knows_risk:
            counts["asked_risk"] = sum(episode.header.asked_risk for episode in of_round)
    return counts
