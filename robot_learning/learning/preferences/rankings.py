"""Rankings with ties, and the comparisons that they are made of.

    D > C > A = B    is    D > C, D > A, D > B, C > A, C > B, A = B

The comparisons of a ranking are not independent: they share one batch element (Ouyang et al. 2022,
https://arxiv.org/abs/2203.02155), and whole rankings are held out, never single comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.likelihoods import Outcome

_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a ranking says of two of its segments.

    Attributes:
        first, second: names of the segments.
        outcome: which is better; `FIRST` or `TIE`.
        weight: one over the number of comparisons in the ranking.
    """

    first: str
    second: str
    outcome: Outcome
    weight: float


@dataclass(frozen=True)
class Ranking:
    """Segments in tiers, the best first; those of one tier are as good as each other."""

    tiers: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        names = self.names
        if len(names) < _FEWEST:
            raise ConfigurationError(f"a ranking has two segments or more, found {len(names)}")
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"duplicate name '{name}' in the ranking '{self}'")

    @classmethod
    def parse(cls, text: str) -> Ranking:
        """Read `D > C > A = B`.

        Raises:
            ConfigurationError: a name is missing or a duplicate.

        >>> Ranking.parse("D > C > A = B").tiers
        (('D',), ('C',), ('A', 'B'))
        """
        tiers = [tuple(name.strip() for name in tier.split("=")) for tier in text.split(">")]
        if not all(name for tier in tiers for name in tier):
            raise ConfigurationError(f"'{text}': a name is missing; write D > C > A = B")
        return cls(tuple(tiers))

    @property
    def names(self) -> Sequence[str]:
        """The segments, the best first."""
        return [name for tier in self.tiers for name in tier]

    def comparisons(self) -> Iterator[Comparison]:
        """Every pair of its segments, the better one first."""
        tier_of = {name: number for number, tier in enumerate(self.tiers) for name in tier}
        pairs = list(combinations(self.names, 2))
        for first, second in pairs:
            is_tie = tier_of[first] == tier_of[second]
            yield Comparison(
                first, second, Outcome.TIE if is_tie else Outcome.FIRST, 1.0 / len(pairs)
            )

    def __str__(self) -> str:
        return " > ".join(" = ".join(tier) for tier in self.tiers)
