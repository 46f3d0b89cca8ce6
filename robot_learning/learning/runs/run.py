"""A run over rounds: each collects, labels, trains and measures, and builds on those before.

DAgger over ROS nodes, DART, and the algorithms in any gymnasium environment are such runs. They
differ in how a round collects and in the figures that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Self

RoundT = TypeVar("RoundT", bound="DataclassInstance")


class Phase(str, Enum):
    """The phase of a round. A run passes those that it has, in this order."""

    COLLECTING = "collecting"
    RELABELLING = "relabelling"
    TRAINING = "training"
    MEASURING = "measuring"
    RELOADING = "reloading"
    DONE = "done"


@dataclass(frozen=True)
class InteractiveRun(Generic[RoundT]):
    """What a run has done. Subclasses add what it was started with; `StateFile` saves both.

    Attributes:
        rounds: rounds so far, oldest first.
    """

    rounds: tuple[RoundT, ...] = field(default=(), kw_only=True)

    @property
    def current(self) -> RoundT:
        """The newest round."""
        return self.rounds[-1]

    def changed(self, **values: Any) -> Self:
        """The run with other values in its newest round."""
        return replace(self, rounds=(*self.rounds[:-1], replace(self.current, **values)))

    def begun(self, round_: RoundT) -> Self:
        """The run with one more round."""
        return replace(self, rounds=(*self.rounds, round_))
