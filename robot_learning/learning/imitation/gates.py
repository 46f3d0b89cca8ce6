"""The disagreement of an ensemble, and the thresholds of a robot-gated policy in the loop.

See `policies.gate` for the sources, and `critic` for the risk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.algorithms.dagger import budget_thresholds
from robot_learning.learning.imitation.data import Rows
from robot_learning.learning.imitation.drivers import StepMeasure
from robot_learning.learning.imitation.inference import Forward
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.policies.gate import Thresholds, disagreement

FEWEST_ROWS = 100
"""Number of the policy's own rows from which on thresholds are taken from them alone."""


def ensemble_disagreement(
    members: Sequence[Forward], actions: ActionLayout, index: int
) -> StepMeasure:
    """How much an ensemble disagrees about a state, whatever action is taken there.

    This is the norm of the members' scaled variances (in HG-DAgger: of the covariance's
    diagonal); for discrete actions, the share of members whose choice differs from the first's.

    Args:
        members: members of the ensemble, the one that acts first.
        actions: layout of the action space.
        index: index in the chunk of the action for the current observation.
    """

    def measure(observations: Float32Array, _: Float32Array) -> FloatArray:
        answers = np.array([member(observations[:, None])[:, index] for member in members])
        if actions.choices:
            return np.asarray((answers[..., 0] != answers[0, :, 0]).mean(axis=0), np.float64)
        return disagreement(answers, actions.scale)

    return measure


def has_driven(rows: Rows) -> bool:
    """Whether a policy has driven enough rows to take thresholds from its own states."""
    return int(np.count_nonzero(~rows.expert_drove)) >= FEWEST_ROWS


def thresholds(
    rows: Rows,
    policy_actions: Float32Array,
    actions: ActionLayout,
    *,
    disagreement: StepMeasure,
    risk: StepMeasure | None,
    rate: float,
) -> Thresholds:
    """Thresholds such that a share `rate` of the steps asks for help because of each of the two.

    Args:
        rows: rows collected so far; only those that the policy drove are used where there are
            enough.
        policy_actions: (N, n) actions of the present policy in these rows.
        actions: layout of the action space.
        disagreement: disagreement of the present ensemble.
        risk: risk by the present critic; None without one.
        rate: share of the steps in which each of disagreement and risk is to ask for help, in [0,
            1].
    """
    driven = ~rows.expert_drove
    if not has_driven(rows):
        driven = np.ones(len(rows), np.bool_)
    observed, chosen = rows.observation[driven], policy_actions[driven]
    labelled = rows.labelled
    return budget_thresholds(
        disagreement(observed, chosen),
        None if risk is None else risk(observed, chosen),
        actions.error(policy_actions[labelled], rows.label[labelled]),
        rate,
    )
