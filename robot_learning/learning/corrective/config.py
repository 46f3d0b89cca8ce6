"""The settings of corrective labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import (
    AtLeast0,
    AtLeast1,
    NotNegative,
    Positive,
    TrueShare,
)

# A single network cannot be judged on rows that it has not seen and be trained on all of them.
Members = Annotated[int, Meta(ge=2, le=50)]


@dataclass(frozen=True, kw_only=True)
class CorrectiveConfig:
    """How corrective labels are made; distances are in standard deviations of the demonstrations.

    Attributes:
        members: number of networks of the dynamics; each is held out of another part of the data.
        hidden: widths of the hidden layers of each network.
        lipschitz: largest Lipschitz constant of the learnt change of the state in a step, in
            standard deviations of that change per standard deviation of state and action.
        steps: number of gradient steps of the dynamics.
        batch_size: number of rows per gradient step and network.
        learning_rate: first learning rate of Adam, which falls to 0 along a cosine.
        backtrack: whether BackTrack labels are made: the action of a row, in a state from which it
            leads to the state of that row.
        disturbed_per_row: number of DisturbedAction labels tried for each row: another action, in a
            state from which it leads to the successor of that row. 0 for none.
        disturbance: standard deviation of the change of a disturbed action, in standard deviations
            of what in the demonstrations' actions does not follow from the state. Where everything
            does, nobody knows what another action would do.
        confidence: share of the accepted labels whose error is to be within its estimated bound.
        largest_error: largest bound of the error at which a label is accepted, as a multiple of its
            distance from the state that it was made for. The bound is wide: see `rejection`.
        seed: seed of networks, batches and disturbances.
    """

    members: Members = 5
    hidden: tuple[AtLeast1, ...] = (64, 64)
    lipschitz: Positive = 10.0
    steps: AtLeast1 = 2000
    batch_size: AtLeast1 = 128
    learning_rate: Positive = 3e-3
    backtrack: bool = True
    disturbed_per_row: AtLeast0 = 4
    disturbance: NotNegative = 1.0
    confidence: TrueShare = 0.95
    largest_error: Positive = 5.0
    seed: AtLeast0 = 0

    def __post_init__(self) -> None:
        check(self, "corrective")
        if not (self.backtrack or self.disturbed_per_row):
            raise ConfigurationError(
                "corrective: no label is asked for: set backtrack or disturbed_per_row"
            )
