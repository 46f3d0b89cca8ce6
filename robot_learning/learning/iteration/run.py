"""A run over iterations: each collects, labels, trains and measures, and builds on those before.

DAgger over ROS nodes, DART, and the algorithms in any gymnasium environment are such runs. They
differ in how an iteration collects and in the figures that it keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import Self

IterationT = TypeVar("IterationT", bound="DataclassInstance")


class Phase(str, Enum):
    """The phase of an iteration. A run passes those that it has, in this order."""

    COLLECTING = "collecting"
    RELABELLING = "relabelling"
    TRAINING = "training"
    MEASURING = "measuring"
    RELOADING = "reloading"
    DONE = "done"


@dataclass(frozen=True)
class IteratedRun(Generic[IterationT]):
    """What a run has done. Subclasses add what it was started with; `StateFile` saves both.

    Attributes:
        iterations: iterations so far, oldest first.
    """

    iterations: tuple[IterationT, ...] = field(default=(), kw_only=True)

    @property
    def current(self) -> IterationT:
        """The newest iteration."""
        return self.iterations[-1]

    def changed(self, **values: Any) -> Self:
        """The run with other values in its newest iteration."""
        return replace(self, iterations=(*self.iterations[:-1], replace(self.current, **values)))

    def begun(self, iteration: IterationT) -> Self:
        """The run with one more iteration."""
        return replace(self, iterations=(*self.iterations, iteration))
