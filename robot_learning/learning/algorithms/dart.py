"""DART: noise disturbs the demonstrator in the way the trained policy is expected to err.

Laskey et al., "DART: Noise Injection for Robust Imitation Learning", CoRL 2017,
https://arxiv.org/abs/1703.09327. The supervisor acts with noise, pi*(u | x, psi), and psi is the
one under which the policy's actions on the supervisor's own states are most likely,

    psi_hat = argmin_psi E_{xi ~ p(xi | pi*, psi_k)} [ - sum_t log pi*(pi_theta(x_t) | x_t, psi) ].

For Gaussian noise, pi*(u | x, Sigma) = N(u; pi*(x), Sigma), with e_t = pi_theta(x_t) - pi*(x_t)
the term of N rows is N/2 (log det Sigma + tr(Sigma^-1 S)) plus a constant, where
S = 1/N sum_t e_t e_t^T. It is smallest at Sigma = S: the second moment of the error about zero,
not about its mean, since a constant error of the policy occurs on the robot as well.

An estimate from few demonstrations may be far too large. It is therefore scaled to a chosen size,
Sigma_alpha = alpha / (T tr S) S, or used as it is up to a bound on its trace.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from robot_learning.control.limiter import frozen
from robot_learning.control.noise import check_covariance, scaled_for_dart, scaled_to_trace
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray


def error_covariance(policy_actions: npt.ArrayLike, expert_actions: npt.ArrayLike) -> FloatArray:
    """(n, n) second moment about zero of the policy's error, which is psi_hat for Gaussian noise.

    Args:
        policy_actions: (N, n) pi_theta(x_t), on states of demonstrations that the policy was
            not trained on: on its own training rows its error is too small.
        expert_actions: (N, n) pi*(x_t), the clean labels of the same rows.

    Raises:
        ConfigurationError: no rows, shapes that differ, NaN or infinity.
    """
    policy, expert = _rows(policy_actions, "the policy"), _rows(expert_actions, "the expert")
    if policy.shape != expert.shape:
        raise ConfigurationError(
            f"error covariance: the policy's actions are {policy.shape}, the expert's "
            f"{expert.shape}; each row of one belongs to a row of the other"
        )
    error = policy - expert
    return frozen(error.T @ error / len(error))


def scaled_covariance(
    covariance: npt.ArrayLike,
    alpha: float | None,
    horizon_steps: int,
    trace_cap: float | None = None,
) -> FloatArray:
    """(n, n) covariance to demonstrate with: Sigma_alpha = alpha / (T tr S) S, its trace bounded.

    Args:
        covariance: (n, n) S, from `error_covariance`. Zero stays zero: a policy without error
            needs no noise.
        alpha: total squared error that the policy is expected to make over an episode, in
            the action's units squared; None keeps the size of S.
        horizon_steps: number of steps T of an episode.
        trace_cap: largest trace of the result, in the action's units squared; None for no bound.

    Raises:
        ConfigurationError: not a covariance (not square, not finite, not symmetric, or with an
            eigenvalue below 0), a number out of range, or neither `alpha` nor `trace_cap`.
    """
    if alpha is None and trace_cap is None:
        raise ConfigurationError(
            "give alpha or a cap on the trace: an early estimate at its own size may be so large "
            "that the demonstrator cannot do the task"
        )
    for name, value in {"alpha": alpha, "trace_cap": trace_cap}.items():
        if value is not None and not (np.isfinite(value) and value >= 0.0):
            raise ConfigurationError(f"{name}: expected a finite number, at least 0, found {value}")
    rows = np.atleast_1d(np.asarray(covariance)).shape[0]
    scaled = check_covariance(covariance, rows, "the covariance to be scaled")
    if not np.any(scaled):
        return scaled
    if alpha is not None:
        scaled = scaled_for_dart(scaled, alpha, horizon_steps)
    if trace_cap is not None and float(np.trace(scaled)) > trace_cap:
        scaled = scaled_to_trace(scaled, trace_cap)
    return scaled


def _rows(values: npt.ArrayLike, whose: str) -> FloatArray:
    try:
        rows = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{whose}'s actions: expected (N, n) numbers") from None
    if rows.ndim != 2 or not rows.size:
        raise ConfigurationError(
            f"{whose}'s actions: expected (N, n) with at least one row, found {rows.shape}"
        )
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ConfigurationError(
            f"{whose}'s actions: row {row}, dimension {column} is {rows[row, column]}"
        )
    return rows
