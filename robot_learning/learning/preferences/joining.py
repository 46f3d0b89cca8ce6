"""Several folders of segments with their rankings as one, as after a second round of collecting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.preferences.segments import Origins, Segments

Ranked = tuple[Segments, Sequence[Ranking]]


def joined(parts: Sequence[Ranked]) -> Ranked:
    """The segments of all parts one after another, and the rankings with their new names.

    Args:
        parts: segments of each part, with their rankings.

    Raises:
        ConfigurationError: they are of other spaces, or not equally long.
    """
    first = parts[0][0]
    for segments, _ in parts[1:]:
        first.columns.refuse_other(segments.columns, "the first folder", "another one")
        if segments.length != first.length:
            raise ConfigurationError(
                f"the segments have {amount(first.length, 'step')} in the first folder and "
                f"{segments.length} in another one; collect with the same --length"
            )
    rankings, offset = list[Ranking](), 0
    for segments, ranked in parts:
        rankings += [_renamed(ranking, offset) for ranking in ranked]
        offset += len(segments)
    every = [segments for segments, _ in parts]
    whole = Segments(
        np.concatenate([each.observations for each in every]),
        np.concatenate([each.actions for each in every]),
        np.concatenate([each.rewards for each in every]),
        first.columns,
        first.scene,
        _origins([each.origins for each in every]),
    )
    return whole, rankings


def _renamed(ranking: Ranking, offset: int) -> Ranking:
    return Ranking(tuple(tuple(str(int(n) + offset) for n in tier) for tier in ranking.tiers))


def _origins(parts: Sequence[Origins]) -> Origins:
    before = np.cumsum([0, *(len(part.seeds) for part in parts)])
    return Origins(
        np.concatenate([part.episode + n for part, n in zip(parts, before[:-1], strict=True)]),
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.seeds for part in parts]),
        tuple(name for part in parts for name in part.names),
        tuple(actions for part in parts for actions in part.actions),
    )
