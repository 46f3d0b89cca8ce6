"""What a person is shown of a DART run: a line a round, while it runs and after."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from robot_learning.cli.common.console import make_console, make_table, print_table
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray
from robot_learning.learning.interactive.dart_run import DartRound, DartRun
from robot_learning.learning.runs.run import Phase

_COLUMNS = (
    *("round", "episodes", "held out", "trace of noise", "before", "after"),
    *("on-policy", "off-policy", "success", "next trace", ""),
)
_UNITS = (
    "before, after: mean squared error on held-out demonstrations, of the policy before and of the "
    "new one, rad2; on- and off-policy: of the new one in simulation, as a share of joint ranges"
)


class DartView:
    """The table of a run; on a terminal it is drawn in place, if `live`."""

    def __init__(self, folder: Path, *, live: bool) -> None:
        """Nothing is drawn yet."""
        self._title = str(folder)
        self._console: Console = make_console()
        drawn = live and self._console.is_terminal
        self._live = Live(console=self._console, transient=True) if drawn else None
        self._shown: DartRun | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether it has the terminal for itself."""
        return self._live is not None

    def __enter__(self) -> DartView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()
        if self._shown:
            print_table(self._console, self._table(self._shown))

    def show(self, run: DartRun) -> None:
        """Draw it; where it is not drawn in place, a line for what has changed."""
        self._shown = run
        if self._live:
            self._live.update(self._table(run), refresh=True)
        else:
            self._console.print(_line(run))

    def _table(self, run: DartRun) -> Table:
        table = make_table(*_COLUMNS, right=_COLUMNS[:-1], title=self._title)
        table.caption, table.caption_justify = _UNITS, "left"
        for round_ in run.rounds:
            table.add_row(*_cells(round_, run.settings.evaluation_episodes))
        return table


def covariance_text(covariance: FloatArray, profile: RobotProfile) -> str:
    """A covariance in words: the standard deviation of each joint, and the trace."""
    deviations = np.sqrt(np.diag(covariance))
    units = [joint.kind.position_unit for joint in profile.joints]
    joints = zip(profile.joint_names, deviations, units, strict=True)
    listed = ", ".join(f"{name} {value:.4f} {unit}" for name, value, unit in joints)
    return f"trace {np.trace(covariance):.3g}; standard deviations: {listed}"


def _cells(round_: DartRound, evaluated: int) -> tuple[str, ...]:
    count = len(round_.episodes)
    done = round_.phase is Phase.DONE
    found = round_.successes
    return (
        str(round_.number),
        str(count or ""),
        str(len(round_.held_out) or ""),
        f"{round_.trace:.3g}",
        _figure(round_.error_before),
        _figure(round_.error_after),
        _figure(round_.on_policy_error),
        _figure(round_.off_policy_error),
        "" if found is None else f"{found}/{evaluated}",
        _figure(round_.next_trace),
        "" if done else round_.phase.value,
    )


def _line(run: DartRun) -> str:
    round_ = run.current
    if round_.phase is not Phase.DONE:
        return f"round {round_.number}: {round_.phase.value}"
    figures = zip(_COLUMNS, _cells(round_, run.settings.evaluation_episodes), strict=True)
    return ", ".join(f"{name} {text}" for name, text in figures if name and text)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
