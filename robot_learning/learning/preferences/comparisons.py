"""The comparisons of many rankings as arrays, and which rankings are held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.preferences.likelihoods import Outcome
from robot_learning.learning.preferences.ranking_file import SPLITS
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.runs.seeds import Seeds


@dataclass(frozen=True)
class Comparisons:
    """M comparisons of two segments.

    Attributes:
        first, second: (M,) numbers of the segments.
        outcome: (M,) values of `Outcome`.
        weight: (M,) one over the number of comparisons in the ranking.
        ranking: (M,) number of the ranking.
    """

    first: IntArray
    second: IntArray
    outcome: IntArray
    weight: FloatArray
    ranking: IntArray

    @classmethod
    def of(cls, rankings: Sequence[Ranking]) -> Comparisons:
        """All comparisons of rankings, whose names are the numbers of segments.

        Raises:
            ConfigurationError: all of them are tied.
        """
        found = [
            (int(each.first), int(each.second), int(each.outcome), each.weight, number)
            for number, ranking in enumerate(rankings)
            for each in ranking.comparisons()
        ]
        first, second, outcome, weight, ranking = (
            np.array(column) for column in zip(*found, strict=True)
        )
        if (outcome == Outcome.TIE).all():
            raise ConfigurationError(
                f"{amount(len(rankings), 'ranking')} and nothing but ties: none says which segment "
                "is better, so that there is nothing to learn"
            )
        return cls(first, second, outcome, weight, ranking)

    def __len__(self) -> int:
        """Number of comparisons M."""
        return len(self.first)

    @property
    def decided(self) -> BoolArray:
        """(M,) which are no ties."""
        return np.asarray(self.outcome != Outcome.TIE)

    def where(self, mask: BoolArray) -> Comparisons:
        """Those of a mask (M,)."""
        return Comparisons(
            self.first[mask],
            self.second[mask],
            self.outcome[mask],
            self.weight[mask],
            self.ranking[mask],
        )


def held_out_rankings(count: int, share: float, seed: int) -> BoolArray:
    """(R,) which rankings are held out; whole ones, as the comparisons of one are not independent.

    At least one is not.

    Args:
        count: number of rankings R.
        share: share of them that is held out.
        seed: seed of the choice.

    Raises:
        ConfigurationError: there are too few for one to be held out.
    """
    fewest = math.ceil(1.0 / share)
    if count < fewest:
        raise ConfigurationError(
            f"{amount(count, 'ranking')}: a share of {share:g} is held out, which takes {fewest} "
            "or more; rank more segments"
        )
    chosen = np.random.default_rng(Seeds(seed).of(SPLITS, 0)).permutation(count)
    found = np.zeros(count, np.bool_)
    found[chosen[: min(round(share * count), count - 1)]] = True
    return found
