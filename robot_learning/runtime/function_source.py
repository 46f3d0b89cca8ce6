"""A function of the observation as a source: an expert, a small policy, a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robot_learning.control.commands import RawCommand
from robot_learning.control.state import Decision
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.types import FloatArray, Observation
from robot_learning.runtime.source import SILENT, CommandSource, SourceOutput


class FunctionSource(CommandSource):
    """Sends one action at a time, at a rate of its own."""

    def __init__(
        self,
        act: Callable[[Observation], FloatArray | None],
        joint_names: Sequence[str],
        rate_hz: float | None = None,
        on_reset: Callable[[int], None] | None = None,
    ) -> None:
        """Prepare.

        Args:
            act: returns joint positions (n,), rad or m, or None to stay silent.
            joint_names: (n,) names of the joints, in the order of the positions.
            rate_hz: rate at which `act` is called; None calls it in every control period.
            on_reset: callback that receives the seed of every episode; None for none.
        """
        self._act = act
        self._names = tuple(joint_names)
        self._period_ns = 0 if rate_hz is None else NS_PER_S / rate_hz
        self._on_reset = on_reset
        self._begin_ns: int | None = None
        self._sent = 0

    def reset(self, seed: int) -> None:
        """Begin an episode."""
        self._begin_ns, self._sent = None, 0
        if self._on_reset:
            self._on_reset(seed)

    def poll(self, observation: Observation, decision: Decision | None) -> SourceOutput:
        """The action for this observation, when it is due."""
        now_ns = observation.stamp_ns
        if self._begin_ns is None:
            self._begin_ns = now_ns
        # Due by count, not by the last call, so that a rate that does not divide the control rate
        # does not drift.
        if now_ns < self._begin_ns + round(self._sent * self._period_ns):
            return SILENT
        self._sent += 1
        position = self._act(observation)
        if position is None:
            return SILENT
        return SourceOutput((RawCommand(now_ns, now_ns, self._names, position[None]),))
