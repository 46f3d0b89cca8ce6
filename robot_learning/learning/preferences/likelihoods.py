"""How likely a reward makes a comparison of two segments, in which neither may be the better one.

With r the return of a segment under the learnt reward, d = r_i - r_j and p = exp(r):

    Bradley-Terry   P(i > j) = p_i / (p_i + p_j), and there are no ties
    Davidson        P(i > j) = p_i / Z, P(tie) = t / Z with t = nu sqrt(p_i p_j), Z = p_i + p_j + t
    Rao-Kupper      P(i > j) = p_i / (p_i + theta p_j), theta >= 1, and what is left is a tie

nu and theta are learnt with the reward. Bradley and Terry 1952, Biometrika 39; Rao and Kupper 1967,
JASA 62; Davidson 1970, JASA 65. Two makeshifts stand beside them for comparison: Bradley-Terry with
ties dropped, which forgets that they say something, and with half a win for each, which shrinks all
differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol

import torch
from torch.nn.functional import logsigmoid, softplus

from robot_learning.learning.preferences.ties import Ties


class Outcome(IntEnum):
    """What somebody said of two segments; the numbers are columns of log-probabilities."""

    FIRST = 0
    TIE = 1
    SECOND = 2


class Likelihood(Protocol):
    """The log-likelihood of comparisons."""

    def __call__(
        self, difference: torch.Tensor, outcome: torch.Tensor, tie: torch.Tensor
    ) -> torch.Tensor:
        """(..., N) log-likelihoods.

        Args:
            difference: (..., N) return of the first segment less that of the second.
            outcome: (..., N) int64 values of `Outcome`.
            tie: () or (..., 1) learnt parameter of ties, any real number; Bradley-Terry ignores it.
        """
        ...


def davidson(difference: torch.Tensor, outcome: torch.Tensor, tie: torch.Tensor) -> torch.Tensor:
    """Davidson's; nu = exp(tie). See `Likelihood`."""
    half = difference / 2
    scores = torch.stack([half, tie.expand_as(half), -half], dim=-1)
    return _of(torch.log_softmax(scores, dim=-1), outcome)


def rao_kupper(difference: torch.Tensor, outcome: torch.Tensor, tie: torch.Tensor) -> torch.Tensor:
    """Rao and Kupper's; theta = exp(softplus(tie)), which is above 1. See `Likelihood`."""
    threshold = softplus(tie)
    first, second = logsigmoid(difference - threshold), logsigmoid(-difference - threshold)
    # log(theta² - 1), without overflow.
    widening = 2 * threshold + torch.log(-torch.expm1(-2 * threshold))
    return _of(torch.stack([first, widening + first + second, second], dim=-1), outcome)


def ties_dropped(
    difference: torch.Tensor, outcome: torch.Tensor, tie: torch.Tensor
) -> torch.Tensor:
    """Bradley and Terry's, in which ties count nothing. See `Likelihood`."""
    return _bradley_terry(difference, outcome, 0.0)


def half_win(difference: torch.Tensor, outcome: torch.Tensor, tie: torch.Tensor) -> torch.Tensor:
    """Bradley and Terry's, in which a tie is half a win for each. See `Likelihood`."""
    return _bradley_terry(difference, outcome, 0.5)


LIKELIHOODS: Mapping[Ties, Likelihood] = {
    "davidson": davidson,
    "rao-kupper": rao_kupper,
    "half-win": half_win,
    "drop": ties_dropped,
}
"""By the name that settings and the command line use."""


def _bradley_terry(
    difference: torch.Tensor, outcome: torch.Tensor, tied_share: float
) -> torch.Tensor:
    first, second = logsigmoid(difference), logsigmoid(-difference)
    tied = tied_share * (first + second)
    return _of(torch.stack([first, tied, second], dim=-1), outcome)


def _of(columns: torch.Tensor, outcome: torch.Tensor) -> torch.Tensor:
    return columns.gather(-1, outcome[..., None])[..., 0]
