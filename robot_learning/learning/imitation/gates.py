"""What a robot-gated policy goes by in the loop: the doubt of its ensemble, and its thresholds.

See `policies.gate` for the sources, and `critic` for the risk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.algorithms.dagger import budget_thresholds
from robot_learning.learning.imitation.data import Rows
from robot_learning.learning.imitation.drivers import Doubt
from robot_learning.learning.imitation.inference import Forward
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.policies.gate import Thresholds, disagreement

FEWEST_ROWS = 100
"""Of the policy's own, for thresholds to be taken from them alone."""


def ensemble_doubt(members: Sequence[Forward], actions: ActionLayout, index: int) -> Doubt:
    """How much an ensemble disagrees about a state, whatever action is taken there.

    The norm of the members' variances, scaled (HG-DAgger: of the covariance's diagonal); of
    discrete actions, the share of members that do not choose what the first one does.

    Args:
        members: of the ensemble.
        actions: the action space.
        index: in the chunk, of the action for the current observation.
    """

    def doubt(observations: Float32Array, _: Float32Array) -> FloatArray:
        answers = np.array([member(observations[:, None])[:, index] for member in members])
        if actions.choices:
            return np.asarray((answers[..., 0] != answers[0, :, 0]).mean(axis=0), np.float64)
        return disagreement(answers, actions.scale)

    return doubt


def has_driven(rows: Rows) -> bool:
    """Whether a policy has driven enough for thresholds to be taken from its own states."""
    return int(np.count_nonzero(~rows.expert_drove)) >= FEWEST_ROWS


def thresholds(
    rows: Rows,
    policy_actions: Float32Array,
    actions: ActionLayout,
    *,
    doubt: Doubt,
    risk: Doubt | None,
    rate: float,
) -> Thresholds:
    """Such that a share `rate` of the steps asks for help because of doubt, and of risk.

    Args:
        rows: collected so far; those that the policy drove are taken where there are enough.
        policy_actions: (N, n) of the present policy on them.
        actions: the action space.
        doubt: of the present ensemble.
        risk: or None.
        rate: of the steps.
    """
    driven = ~rows.expert_drove
    if not has_driven(rows):
        driven = np.ones(len(rows), np.bool_)
    observed, chosen = rows.observation[driven], policy_actions[driven]
    labelled = rows.labelled
    return budget_thresholds(
        doubt(observed, chosen),
        None if risk is None else risk(observed, chosen),
        actions.error(policy_actions[labelled], rows.label[labelled]),
        rate,
    )
