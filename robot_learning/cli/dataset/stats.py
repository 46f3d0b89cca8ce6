"""`stats`: what the numbers of a dataset look like, and how its episodes are distributed."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import make_console, make_table
from robot_learning.cli.dataset.selection import add_filters, open_chosen
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.cli.dataset.verb import Verbs
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.episodes.dataset.statistics import KeyStatistics
    from robot_learning.episodes.format.schema import Column

_FIELDS = ("mean", "std", "minimum", "q01", "q50", "q99", "maximum")
_DISTRIBUTIONS = ("outcome", "verdict", "operator", "round", "instruction", "sources")


def add_verbs(verbs: Verbs) -> None:
    """Add `stats`."""
    stats = add_verb(
        verbs, "stats", run_stats, "statistics of columns; outcomes, operators, durations"
    )
    stats.add_argument(
        "--key",
        action="append",
        help="column; may be repeated (default: actions and every obs/ column except images)",
    )
    stats.add_argument("--json", action="store_true", help="print JSON")
    add_filters(stats)


def run_stats(arguments: argparse.Namespace) -> int:
    """Print the statistics of the chosen episodes."""
    import numpy as np

    dataset = open_chosen(arguments)
    if not len(dataset):
        raise ConfigurationError(f"{dataset.path}: no episode matches")
    keys = arguments.key or [
        column.path
        for column in dataset.info.columns
        if not column.is_image and column.path.split("/")[0] in ("actions", "obs")
    ]
    statistics = dataset.statistics(keys)
    counts = distributions(dataset)
    seconds = np.array([summary.rows for summary in dataset.episodes]) / dataset.info.rate_hz
    durations = {
        name: round(float(value), 3)
        for name, value in zip(
            ("min", "p25", "median", "p75", "max"),
            np.percentile(seconds, [0, 25, 50, 75, 100]),
            strict=True,
        )
    }
    if arguments.json:
        columns = {key: found.to_plain() for key, found in statistics.items()}
        plain = {"episodes": len(dataset), "distributions": counts, "seconds": durations}
        print(json.dumps({**plain, "columns": columns}, indent=2))
        return 0
    console = make_console()
    table = make_table("of", "value", "episodes", "share", "", right=("episodes", "share"))
    for name, values in counts.items():
        for number, (value, count) in enumerate(values.items()):
            share, title = count / len(dataset), "" if number else name
            table.add_row(title, value, str(count), f"{share:.0%}", "#" * round(30 * share))
    console.print(table)
    console.print("seconds: " + ", ".join(f"{k} {v:g}" for k, v in durations.items()))
    rows = make_table("column", "element", *_FIELDS, right=_FIELDS)
    for key, found in statistics.items():
        for number, (element, figures) in enumerate(_elements(dataset.column(key), found)):
            rows.add_row("" if number else key, element, *figures)
    console.print(rows)
    return 0


def distributions(dataset: Dataset) -> dict[str, dict[str, int]]:
    """How many episodes have each outcome, operator, and so on; the most frequent first."""

    def text(value: object) -> str:
        return "+".join(value) if isinstance(value, tuple) else str(value)

    return {
        name: dict(Counter(text(getattr(s, name)) for s in dataset.episodes).most_common())
        for name in _DISTRIBUTIONS
    }


def _elements(column: Column, found: KeyStatistics) -> list[tuple[str, list[str]]]:
    import numpy as np

    rows = []
    columns = [np.atleast_1d(getattr(found, field)).ravel() for field in _FIELDS]
    for index, values in enumerate(zip(*columns, strict=True)):
        name = column.names[index] if index < len(column.names) else str(index)
        rows.append((name, [f"{value:.4g}" for value in values]))
    return rows
