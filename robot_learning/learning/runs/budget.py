"""How much a run may spend before it ends."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.core.decoding import check
from robot_learning.core.options.numbers import AtLeast0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The limits of a run, which ends at the first one that it reaches.

    Attributes:
        rounds: number of finished rounds; 0 for no limit.
        labels: number of the expert's labels; 0 for no limit.
        episodes: number of collected episodes; 0 for no limit.
    """

    rounds: AtLeast0 = 0
    labels: AtLeast0 = 0
    episodes: AtLeast0 = 0

    def __post_init__(self) -> None:
        check(self)

    @property
    def is_limited(self) -> bool:
        """Whether a run with this budget ends at all."""
        return bool(self.rounds or self.labels or self.episodes)

    def is_spent(self, *, rounds: int, labels: int = 0, episodes: int = 0) -> bool:
        """Whether a run that has used this much is over.

        Args:
            rounds: number of finished rounds.
            labels: number of labels.
            episodes: number of episodes.
        """
        used = ((self.rounds, rounds), (self.labels, labels), (self.episodes, episodes))
        return any(0 < limit <= count for limit, count in used)
