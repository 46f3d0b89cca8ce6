"""A recorded trajectory as a source: it is sent again, at its recorded pace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from robot_learning.control.commands import RawCommand
from robot_learning.control.state import Decision
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.types import FloatArray, Observation
from robot_learning.runtime.source import SILENT, CommandSource, SourceOutput

_AHEAD_NS = 200_000_000


class TrajectorySource(CommandSource):
    """Sends the part of a trajectory that lies just ahead, as a policy sends its chunks."""

    def __init__(
        self,
        times_ns: npt.NDArray[np.int64],
        positions: FloatArray,
        joint_names: Sequence[str],
    ) -> None:
        """Prepare.

        Args:
            times_ns: (T,) nanoseconds, increasing; an episode begins at the first.
            positions: (T, n) rad or m, finite.
            joint_names: (n,) names of the joints, in the order of the columns.
        """
        self._offsets_ns = np.asarray(times_ns, np.int64) - int(times_ns[0])
        self._positions = positions
        self._names = tuple(joint_names)
        self._begin_ns: int | None = None

    @property
    def duration_s(self) -> float:
        """Seconds from the first row to the last."""
        return int(self._offsets_ns[-1]) / NS_PER_S

    @property
    def begin_ns(self) -> int | None:
        """Stamp at which the first row was sent; None before."""
        return self._begin_ns

    def reset(self, seed: int) -> None:
        """Start over with the next observation."""
        self._begin_ns = None

    def poll(self, observation: Observation, decision: Decision | None) -> SourceOutput:
        """The rows around now; nothing after the end."""
        now_ns = observation.stamp_ns
        if self._begin_ns is None:
            self._begin_ns = now_ns
        passed_ns = now_ns - self._begin_ns
        if passed_ns > self._offsets_ns[-1]:
            return SILENT
        # Begin with the row in force: the arbiter interpolates linearly from row to row.
        first = int(np.searchsorted(self._offsets_ns, passed_ns, side="right")) - 1
        end = int(np.searchsorted(self._offsets_ns, passed_ns + _AHEAD_NS, side="right")) + 1
        row_ns = int(self._offsets_ns[first])
        raw = RawCommand(
            stamp_ns=self._begin_ns + row_ns,
            receipt_ns=now_ns,
            joint_names=self._names,
            positions=self._positions[first:end],
            offsets_s=((self._offsets_ns[first:end] - row_ns) / NS_PER_S).tolist(),
        )
        return SourceOutput((raw,))
