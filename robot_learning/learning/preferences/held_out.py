"""How well a reward predicts the rankings that are held out for validation.

They chose the step at which the fit stops, so that the figures are better than on other rankings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from robot_learning.core.types import FloatArray
from robot_learning.learning.preferences.comparisons import Comparisons
from robot_learning.learning.preferences.learned_reward import LearnedReward
from robot_learning.learning.preferences.likelihoods import LIKELIHOODS, Outcome
from robot_learning.learning.preferences.segments import Segments


@dataclass(frozen=True)
class HeldOut:
    """What the held-out rankings say of a reward.

    Attributes:
        rankings: number of these rankings.
        comparisons: number of their comparisons.
        decided: mean logarithm of the probability of the better segment, over comparisons that are
            no ties, given that they are none; log ½ = -0.693 is guessing. None without any.
        accuracy: share of these in which the better segment has the larger return. None without
            any.
        all: mean log-likelihood of all comparisons, ties among them; None for the likelihoods that
            give ties no probability.
    """

    rankings: int
    comparisons: int
    decided: float | None
    accuracy: float | None
    all: float | None


def judged(reward: LearnedReward, segments: Segments, held_out: Comparisons) -> HeldOut:
    """Compare a reward with rankings.

    Args:
        reward: reward.
        segments: segments of the rankings.
        held_out: comparisons of rankings that no gradient came from.
    """
    probability, decided = probabilities(reward, segments, held_out), held_out.decided
    knows_ties = reward.ties in ("davidson", "rao-kupper")
    chosen = probability[np.arange(len(held_out)), held_out.outcome]
    better = conditional(probability)[decided]
    return HeldOut(
        rankings=len(np.unique(held_out.ranking)),
        comparisons=len(held_out),
        decided=float(np.log(better).mean()) if decided.any() else None,
        accuracy=float((better > 0.5).mean()) if decided.any() else None,
        all=float(np.log(chosen).mean()) if knows_ties else None,
    )


def probabilities(
    reward: LearnedReward, segments: Segments, comparisons: Comparisons
) -> FloatArray:
    """(M, 3) mean of the networks' probabilities of each `Outcome`.

    Where the likelihood knows no ties, the columns are those of its own makeshift.
    """
    members = torch.from_numpy(raw_returns(reward, segments))
    difference = members[:, comparisons.first] - members[:, comparisons.second]
    tie = torch.from_numpy(reward.tie)[:, None]
    likelihood = LIKELIHOODS[reward.ties]
    columns = [
        likelihood(difference, torch.full(difference.shape, int(outcome)), tie).exp().mean(dim=0)
        for outcome in Outcome
    ]
    found: FloatArray = torch.stack(columns, dim=1).numpy()
    return found


def conditional(probability: FloatArray) -> FloatArray:
    """(M,) probability that the first segment is better, given that there is no tie."""
    first = probability[:, Outcome.FIRST]
    return np.asarray(first / (first + probability[:, Outcome.SECOND]))


def raw_returns(reward: LearnedReward, segments: Segments) -> FloatArray:
    """(E, N) returns of the segments under each network, as the likelihood takes them."""
    shape = (len(segments) * segments.length, -1)
    found = reward.of_members(
        segments.observations.reshape(shape), segments.actions.reshape(shape)
    ).reshape(len(reward.scale), len(segments), segments.length)
    raw = found.sum(axis=2) * reward.scale[:, None] + reward.offset[:, None] * segments.length
    return np.asarray(raw)
