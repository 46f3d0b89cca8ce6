"""When a policy asks for help, and when it may go on."""

import numpy as np
import pytest

from robot_learning.policies.gate import NOVELTY, RISK, Thresholds, disagreement


@pytest.mark.parametrize(
    ("disagreement", "risk", "expected"),
    [
        (1.0, 0.5, ""),
        (1.1, 0.9, NOVELTY),
        (0.0, 0.6, RISK),
        (None, 0.6, RISK),
        (float("nan"), None, NOVELTY),
        (None, None, ""),
    ],
)
def test_why_help_is_asked_for(disagreement, risk, expected):
    assert Thresholds(disagreement=1.0, risk=0.5).reason(disagreement, risk) == expected
    assert Thresholds().reason(disagreement, risk) == "", "never is never"


@pytest.mark.parametrize(
    ("disagreement", "risk", "calm"),
    [(0.0, 0.2, True), (0.0, 0.3, False), (2.0, 0.0, False), (0.0, None, True)],
)
def test_a_policy_is_calm_again_below_the_lower_threshold_of_risk(disagreement, risk, calm):
    assert (
        Thresholds(disagreement=1.0, risk=0.5, handback_risk=0.2).is_below_handback_threshold(
            disagreement, risk
        )
        is calm
    )


def test_disagreement_is_the_norm_of_the_scaled_variances():
    answers = np.array([[[1.0, 0.0], [0.0, 0.0]], [[-1.0, 4.0], [0.0, 0.0]]], np.float32)
    found = disagreement(answers, np.array([2.0, 4.0]))
    np.testing.assert_allclose(found, [np.hypot(0.25, 0.25), 0.0])
