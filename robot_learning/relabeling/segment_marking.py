"""Marking a part of a recording while watching it: the rows to demonstrate again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from robot_learning.relabeling.ghost import Ghost
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopDevice, TeleopInput


@dataclass
class SegmentMarking:
    """Plays a recording over and over until a segment of it is marked; poll it until `done`.

    `start` marks the first row and then the end, at the recording's end at the latest; `hold`
    pauses and resumes; `failure` removes the mark; `discard` and `halt` give up.

    Attributes:
        ghost: ghost of the episode.
        device: open device of the operator.
        row: row that is shown.
        first: first row of the segment; None until it is marked.
        end: row after the last of the segment; None until it is marked.
        discarded: whether the operator gave up.
    """

    ghost: Ghost
    device: TeleopDevice
    row: int = 0
    first: int | None = None
    end: int | None = None
    discarded: bool = False
    _still: bool = False

    def __post_init__(self) -> None:
        self.ghost.restore(self.row)

    @property
    def done(self) -> bool:
        """Whether both marks are set, or the operator gave up."""
        return self.discarded or self.end is not None

    @property
    def chosen(self) -> npt.NDArray[np.bool_]:
        """(T,) whether a row belongs to the segment; none does before it is marked."""
        rows = np.zeros(len(self.ghost.rows), bool)
        if self.first is not None and self.end is not None:
            rows[self.first : self.end] = True
        return rows

    def poll(self, now_ns: int) -> TeleopInput:
        """Ask the device once and show the next row; at the end the device disengages."""
        observation = replace(self.ghost.observe(), stamp_ns=now_ns)
        wanted = self.device.poll(now_ns, TeleopContext(observation))
        for event in wanted.events:
            self._obey(event)
        if not (self.done or self._still):
            self._play()
        if self.done:
            self.device.handle(OperatorEvent.HOLD)
        return wanted

    def _obey(self, event: OperatorEvent) -> None:
        if event is OperatorEvent.START and self.first is None:
            self.first = self.row
        elif event is OperatorEvent.START and self.row > (self.first or 0):
            self.end = self.row
        elif event is OperatorEvent.HOLD:
            self._still = not self._still
        elif event is OperatorEvent.FAILURE:
            self.first = None
        elif event in (OperatorEvent.DISCARD, OperatorEvent.HALT):
            self.discarded = True

    def _play(self) -> None:
        self.row += 1
        if self.row == len(self.ghost.rows):
            self.row = 0
            if self.first is not None:
                self.end = len(self.ghost.rows)
        self.ghost.restore(self.row)
