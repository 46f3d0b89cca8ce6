"""Labels for the rows of a recorded rollout, given by an operator with a teleoperation device.

A ghost arm starts where the recorded one was, and the device moves it; the real arm stays still.

- By `step`: the ghost is put back to each row, the first action of the device there is the row's
  label, and the next row is shown. The label is what the operator would do in the state that was
  visited, as DAgger asks for it (Ross et al. 2011, https://arxiv.org/abs/1011.0686).
- By `segment`: the ghost is put back to the first row and then demonstrates in the recording's
  time; the label of a row is the command at that time. The ghost leaves the states that were
  recorded, and how far it strays is reported.

The operator's requests: `hand_back` skips a row (or ends the segment early), `failure` undoes the
last label (or restarts the segment), `stop` and `success` end and keep the labels, `discard` and
`halt` throw them away. Without an action the session does not move on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.relabeling.ghost import Ghost
from robot_learning.relabeling.journal import Entry, Kind
from robot_learning.teleop.device import OperatorEvent, TeleopContext, TeleopDevice, TeleopInput
from robot_learning.teleop.teleop_controller import DISENGAGED, TeleopController, TeleopState

_KEEPING = (OperatorEvent.STOP, OperatorEvent.SUCCESS)
_DISCARDING = (OperatorEvent.DISCARD, OperatorEvent.HALT)


class Method(str, Enum):
    """How the rows are labelled."""

    STEP = "step"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels that a session gave.

    Attributes:
        actions: (T, n) labels, rad or m; NaN where there is none.
        mask: (T,) whether a row has a label.
        strayed: largest distance of a joint of the ghost from the recorded one at a labelled
            row, rad or m; 0 by step.
        exact: number of labelled rows whose whole simulated state was restored; by segment all
            of them, if that of the first row was.
    """

    actions: FloatArray
    mask: npt.NDArray[np.bool_]
    strayed: float
    exact: int


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What to show after a poll. `row` is the row that waits for its label."""

    row: int
    labelled: int
    left: int
    wanted: TeleopInput
    label: FloatArray | None = None


@dataclass
class RelabelSession:
    """Walks through the chosen rows; poll it until `done`.

    Attributes:
        ghost: ghost of the episode.
        device: open device of the operator.
        controller: turns the operator's input into joint targets.
        chosen: (T,) whether a row may be labelled; a segment extends from the first of these rows
            to the last.
        method: how rows are labelled.
        rate_hz: rows per second.
        record: callback with each entry before it takes effect, as for a journal.
        done: whether nothing is left to label, or the operator ended the session.
        discarded: whether the operator wants none of the labels kept.
        interrupted: whether the operator ended all sessions, not only this one; set by the caller.
    """

    ghost: Ghost
    device: TeleopDevice
    controller: TeleopController
    chosen: npt.NDArray[np.bool_]
    method: Method
    rate_hz: float
    record: Callable[[Entry], None] = lambda _: None
    done: bool = False
    discarded: bool = False
    interrupted: bool = False
    _at: int = 0
    _state: TeleopState = DISENGAGED
    _held: FloatArray | None = None
    _given: dict[int, FloatArray] = field(default_factory=dict)
    _strayed: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = np.flatnonzero(self.chosen & self.ghost.rows.visible)
        if not rows.size:
            raise ConfigurationError(
                "no row was chosen, or none of them has a complete observation to show"
            )
        if self.method is Method.SEGMENT:
            rows = np.arange(rows[0], rows[-1] + 1)
        self._rows: list[int] = rows.tolist()
        episode = self.ghost.rows.episode
        recorded = {column.path for column in episode.info.columns}
        policy = "control/policy"
        self._policy = episode.column(policy) if policy in recorded else None
        self._begin()

    @property
    def row(self) -> int:
        """The row that waits for its label."""
        return self._rows[min(self._at, len(self._rows) - 1)]

    def poll(self, now_ns: int) -> View:
        """Ask the device once, at `now_ns`, and act on its answer.

        Raises:
            RobotLearningError: the device or the simulation cannot go on.
        """
        context = self.context(now_ns)
        wanted = self.device.poll(now_ns, context)
        label = None
        obeyed = [self._obeyed(event) for event in wanted.events]
        if not any(obeyed) and self._acts(wanted):
            label = self._labelled(wanted, context)
        return View(self.row, self.labelled, len(self._rows) - self._at, wanted, label)

    def replay(self, entries: Iterable[Entry]) -> None:
        """Repeat the recorded entries of a session with the same rows and method.

        Raises:
            DatasetError: the entries do not follow from the start of this session.
        """
        for number, entry in enumerate(entries):
            if self.done or entry.row != self.row:
                raise DatasetError(
                    f"entry {number} of the interrupted labelling session is about row "
                    f"{entry.row}, but {'none' if self.done else f'row {self.row}'} was to be "
                    "labelled; --restart moves it to the trash and begins again"
                )
            self._apply(entry)

    @property
    def labelled(self) -> int:
        """Number of rows that have a label by now."""
        return len(self._given)

    def context(self, now_ns: int) -> TeleopContext:
        """The device's context now: the ghost, and the applied and the policy's command there."""
        row = self.row
        policy = None if self._policy is None else self._policy[row]
        return TeleopContext(
            replace(self.ghost.observe(), stamp_ns=now_ns),
            applied=self.ghost.held(row) if self._held is None else self._held,
            policy=policy if policy is not None and np.isfinite(policy).all() else None,
        )

    def labels(self) -> Labels:
        """The labels so far."""
        episode = self.ghost.rows.episode
        actions = np.full((episode.rows, *episode.info.column("actions").shape), np.nan)
        mask = np.zeros(episode.rows, bool)
        for row, label in self._given.items():
            actions[row], mask[row] = label, True
        begun_exactly = self.ghost.is_exact(self._rows[0])
        by_step = self.method is Method.STEP
        exact = sum(self.ghost.is_exact(row) if by_step else begun_exactly for row in self._given)
        return Labels(actions, mask, max(self._strayed.values(), default=0.0), exact)

    def _begin(self) -> None:
        self._at = 0
        self._given.clear()
        self._strayed.clear()
        self._state, self._held = DISENGAGED, None
        self.ghost.restore(self.row)

    def _acts(self, wanted: TeleopInput) -> bool:
        """Whether this is an action; by step, holding still is none, as keys do so in between."""
        if self.done or not wanted.engaged:
            self._state = DISENGAGED
            return False
        if self.method is Method.SEGMENT or wanted.motions or wanted.grip:
            return True
        self._state = DISENGAGED
        return False

    def _labelled(self, wanted: TeleopInput, context: TeleopContext) -> FloatArray | None:
        if self.method is Method.STEP and context.applied is not None:
            # The arm was put elsewhere; only the keys' ramp (deflection) carries over.
            self._state = TeleopState(context.applied, {}, self._state.deflection)
        self._state, command = self.controller.step(
            self._state, wanted, context, 1.0 / self.rate_hz
        )
        if command.position is None:
            return None
        label: FloatArray = command.position.copy()
        recorded = self.ghost.rows.array("joint_position")[self.row]
        assert context.observation is not None  # noqa: S101 (made by context)
        apart = float(np.abs(context.observation.joint_position - recorded).max())
        # Where no joint position was recorded, the distance is unknown.
        self._take(Entry(Kind.LABELLED, self.row, label, apart if np.isfinite(apart) else 0.0))
        return label

    def _take(self, entry: Entry) -> None:
        self.record(entry)
        self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        row = entry.row
        if entry.kind is Kind.LABELLED:
            if entry.action is not None and self.chosen[row] and self.ghost.rows.visible[row]:
                self._given[row], self._strayed[row] = entry.action, entry.strayed
            self._next(entry.action)
        elif entry.kind is Kind.PASSED:
            self._next(None)
        elif entry.kind is Kind.TAKEN_BACK:
            self._at = max(0, self._at - 1)
            self._given.pop(self.row, None)
            self._strayed.pop(self.row, None)
            self.ghost.restore(self.row)
        else:
            self._begin()

    def _next(self, command: FloatArray | None) -> None:
        self._at += 1
        self.done = self.done or self._at >= len(self._rows)
        if self.method is Method.SEGMENT and command is not None:
            self._held = command
            self.ghost.follow(command)
        elif not self.done:
            self.ghost.restore(self.row)

    def _obeyed(self, event: OperatorEvent) -> bool:
        """Do what the event asks for; False for an event that does not concern this session."""
        if self.done:
            return False
        if event in _KEEPING or event in _DISCARDING:
            self.done, self.discarded = True, event in _DISCARDING
        elif event is OperatorEvent.HAND_BACK and self.method is Method.STEP:
            self._take(Entry(Kind.PASSED, self.row))
        elif event is OperatorEvent.HAND_BACK:
            self.done = True
        elif event is OperatorEvent.FAILURE:
            by_step = self.method is Method.STEP
            self._take(Entry(Kind.TAKEN_BACK if by_step else Kind.BEGUN_AGAIN, self.row))
        else:
            return False
        return True
