"""What commands print with: tables and text on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table
from rich.text import Text

from robot_learning.core.progress import ProgressLines

# Columns of what is no terminal: more than any table has.
_UNBOUNDED = 100_000


def make_console() -> Console:
    """A console on stdout that prints text as it is: as wide as the terminal, if there is one.

    In a pipe or a file nothing is wrapped or cut.
    """
    # What people typed (an instruction, say) may hold what rich takes for markup.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.file.isatty():
        console.width = _UNBOUNDED
    return console


def make_table(*columns: str, right: tuple[str, ...] = (), title: str = "") -> Table:
    """A table in the house's style; those in `right` hold numbers, which are never broken."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for name in columns:
        if name in right:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table


def fits(console: Console, table: Table) -> bool:
    """Whether a table is shown without wrapping anything."""
    unbounded = console.options.update(width=_UNBOUNDED)
    return console.measure(table, options=unbounded).maximum <= console.width


def print_what_fits(
    console: Console,
    rows: Sequence[Mapping[str, str | Text]],
    *,
    right: tuple[str, ...],
    first_left_out: Sequence[str],
) -> None:
    """Print a table without wrapping, and name the columns that a terminal has no room for.

    Args:
        console: where it is printed.
        rows: cells by the names of their columns, in their order, the same for all.
        right: the columns of numbers.
        first_left_out: the columns that may be left out, beginning with the first.
    """
    columns, left_out = list(rows[0]) if rows else [], []

    def table() -> Table:
        made = make_table(*columns, right=right)
        for row in rows:
            made.add_row(*(row[name] for name in columns))
        return made

    for name in filter(columns.__contains__, first_left_out):
        if fits(console, table()):
            break
        columns.remove(name)
        left_out.append(name)
    console.print(table())
    if left_out:
        print(f"no room for: {', '.join(left_out)} (a wider terminal, a pipe or --json has them)")


def print_table(console: Console, table: Table) -> None:
    """Print a table below its title, which is never broken: it may be a path that is copied."""
    if table.title:
        console.print(table.title, style="table.title", soft_wrap=True)
        table.title = None
    console.print(table)


@contextmanager
def progress_bar(description: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for as long as the block runs; yields what to call with (done, total).

    Where stderr is no terminal a line is written every few seconds instead.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with ProgressLines(description, unit) as lines:
            yield lines.update
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(description, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
