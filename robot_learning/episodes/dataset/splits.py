"""Dividing episodes at random into parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import DatasetError


def divided(
    groups: Sequence[Sequence[str]], fractions: Mapping[str, float], seed: int
) -> dict[str, list[str]]:
    """Divide groups of episodes that stay together; the same seed gives the same parts.

    Every part has at least one group.

    Args:
        groups: names of the episodes of each group, such as copies of one episode.
        fractions: share of the groups in each part, by the name of the part.
        seed: seed of the order in which groups are dealt out.

    Returns:
        Names of the episodes of each part.

    Raises:
        DatasetError: the fractions are not positive, sum to more than 1, or there are fewer groups
            than parts.
    """
    total = sum(fractions.values())
    # Written so that NaN is refused, too.
    if not (min(fractions.values(), default=0) > 0 and total <= 1 + 1e-9):
        raise DatasetError(f"split fractions are positive and sum to at most 1: {fractions}")
    if len(groups) < len(fractions):
        are_all = all(len(names) == 1 for names in groups)
        what = "episodes" if are_all else "different episodes"
        raise DatasetError(
            f"{len(groups)} {what} cannot be split into {amount(len(fractions), 'part')}"
        )
    order = sorted(groups, key=lambda names: hashlib.sha256(f"{seed} {names[0]}".encode()).digest())
    parts, used, spare = {}, 0, len(order) - len(fractions)
    bound = 0.0
    for number, (part, fraction) in enumerate(fractions.items()):
        bound += fraction
        # Each part still to come keeps one group.
        end = min(max(round(bound * len(order)), used + 1), spare + number + 1)
        parts[part] = [name for names in order[used:end] for name in names]
        used = end
    return parts
