"""The table of a DAgger run on the terminal: while it runs, below what the nodes say, and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.live import Live
from rich.table import Table

from robot_learning.cli.common.console import make_console, print_table
from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.progress import ProgressLines
from robot_learning.learning.interactive.round_folders import steps_trained
from robot_learning.learning.interactive.round_table import rounds_table, run_standing
from robot_learning.learning.interactive.rounds import load_run
from robot_learning.learning.runs.run import Phase

_REFRESHES_PER_S = 2.0


@contextmanager
def rounds_view(folder: Path, *, live: bool) -> Iterator[None]:
    """Show the run in `folder` while the body runs, if `live`; then once more.

    Where there is no terminal it is a line every few seconds. Until then what is printed goes
    above the table.
    """
    console = make_console()
    try:
        if live and console.is_terminal:
            with Live(
                get_renderable=lambda: _table(folder),
                console=console,
                refresh_per_second=_REFRESHES_PER_S,
                transient=True,
            ):
                yield
        elif live:
            with ProgressLines("rounds", ask=lambda: run_standing(folder)):
                yield
        else:
            yield
    finally:
        print_table(console, _table(folder))


def _table(folder: Path) -> Table:
    try:
        run = load_run(folder)
    except RobotLearningError:
        return Table()
    message = ""
    if run.current.phase is Phase.TRAINING:
        steps = steps_trained(folder, run.current.number)
        message = f"training; the arm holds ({amount(steps, 'step')} made)"
    return rounds_table(run, str(folder), message)
