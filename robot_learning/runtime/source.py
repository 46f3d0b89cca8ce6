"""The interface of what commands a robot in a session: a person, a policy, a recording."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from robot_learning.control.commands import RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.state import Decision
from robot_learning.core.types import Observation


@dataclass(frozen=True, slots=True, eq=False)
class SourceOutput:
    """A source's output in one tick: commands, oldest first, and requests to the arbiter."""

    commands: tuple[RawCommand, ...] = ()
    requests: tuple[Request, ...] = ()


SILENT = SourceOutput()


class CommandSource(ABC):
    """Polled once a control period. A session has at most two: the human's and the policy's."""

    @abstractmethod
    def poll(self, observation: Observation, decision: Decision | None) -> SourceOutput:
        """The source's output now, at `observation.stamp_ns`; `SILENT` for nothing new.

        Args:
            observation: what is measured of the robot now.
            decision: previous decision of the arbiter; None in the first tick of an episode. When
                its `policy_reset` is set, a policy forgets its history.
        """

    def reset(self, seed: int) -> None:  # noqa: B027 (many sources have nothing to forget)
        """Begin an episode; everything random in it follows from `seed`."""
