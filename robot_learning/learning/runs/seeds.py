"""The seeds of everything random in a run, so that what was lost with a kill is drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """Seeds that follow from a run's seed, a stream (a purpose) and a number.

    Attributes:
        seed: seed of the run.
    """

    seed: int

    def of(self, stream: int, number: int) -> int:
        """The seed of a number in a stream, below 2^32."""
        return int(np.random.SeedSequence((self.seed, stream, number)).generate_state(1)[0])
