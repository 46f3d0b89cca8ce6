"""The settings of a fit of rewards to rankings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from robot_learning.core.decoding import check
from robot_learning.core.options.numbers import (
    AtLeast0,
    AtLeast1,
    NotNegative,
    Positive,
    TrueShare,
)
from robot_learning.learning.preferences.ties import Ties


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a reward is fitted.

    Attributes:
        ties: likelihood of comparisons: `davidson` and `rao-kupper` know ties, `half-win` takes a
            tie for half a win of each, `drop` leaves ties out.
        members: number of networks, each with draws of its own of the rankings that it learns from.
        hidden: widths of the hidden layers of each network.
        steps: largest number of gradient steps, each on all rankings.
        patience: number of steps without a better held-out likelihood after which a network is
            done; its best weights are kept.
        learning_rate: learning rate of AdamW.
        weight_decay: decay of the weights per step, as a share of the learning rate.
        held_out: share of the rankings that is held out for validation: to stop early and to
            report.
        seed: seed of networks, draws and of which rankings are held out.
    """

    ties: Ties = "davidson"
    members: AtLeast1 = 5
    hidden: tuple[AtLeast1, ...] = (32, 32)
    steps: AtLeast1 = 300
    patience: AtLeast1 = 60
    learning_rate: Positive = 1e-2
    weight_decay: NotNegative = 0.1
    held_out: TrueShare = 0.2
    seed: AtLeast0 = 0

    def __post_init__(self) -> None:
        check(self)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "hidden": list(self.hidden)}
