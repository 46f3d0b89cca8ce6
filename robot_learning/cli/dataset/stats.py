"""`stats`: what the numbers of a dataset look like, and how its episodes are distributed."""

from __future__ import annotations

import argparse
import json
from collections import Counter

import numpy as np
from rich.console import Console

from robot_learning.cli.common.console import make_console, make_table, print_what_fits
from robot_learning.cli.dataset.chosen import open_chosen
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.statistics import KeyStatistics
from robot_learning.episodes.format.schema import Column

_FIELDS = {
    **{"mean": "mean", "std": "std", "min": "minimum"},
    **{"q01": "q01", "q50": "q50", "q99": "q99", "max": "maximum"},
}
"""Of the statistics, by their headings."""
# In a terminal that is too narrow, beginning with the first.
_FIRST_LEFT_OUT = ("q01", "q99", "q50", "std", "min", "max")
_BAR_WIDTH = 20
_QUANTILES = {"min": 0, "p25": 25, "median": 50, "p75": 75, "max": 100}
"""Shown of the episodes' durations -> their percentiles."""
_DISTRIBUTIONS = {
    **{name: name for name in ("outcome", "verdict", "operator", "round", "instruction")},
    "sources": "drivers",
}
"""What episodes are counted by -> the attribute of their summaries."""


def run_stats(arguments: argparse.Namespace) -> int:
    """Print the statistics of the chosen episodes."""
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
    durations = _durations(dataset)
    if arguments.json:
        columns = {key: found.to_plain() for key, found in statistics.items()}
        plain = {"episodes": len(dataset), "distributions": counts, "seconds": durations}
        print(json.dumps({**plain, "columns": columns}, indent=2))
        return 0
    console = make_console()
    _print_distributions(console, counts, len(dataset))
    if durations:
        console.print("seconds: " + ", ".join(f"{k} {v:g}" for k, v in durations.items()))
    rows = [row for key, found in statistics.items() for row in _rows(dataset.column(key), found)]
    print_what_fits(console, rows, right=tuple(_FIELDS), first_left_out=_FIRST_LEFT_OUT)
    return 0


def _durations(dataset: Dataset) -> dict[str, float]:
    """Quantiles of the seconds of an episode; empty where only corrective labels were chosen."""
    seconds = [summary.rows / dataset.info.rate_hz for summary in dataset.recorded_episodes]
    if not seconds:
        return {}
    found = np.percentile(seconds, list(_QUANTILES.values()))
    return {name: round(float(s), 3) for name, s in zip(_QUANTILES, found, strict=True)}


def _print_distributions(
    console: Console, counts: dict[str, dict[str, int]], episodes: int
) -> None:
    table = make_table("of", "value", "episodes", "share", "", right=("episodes", "share"))
    for name, values in counts.items():
        for number, (value, count) in enumerate(values.items()):
            share, title = count / episodes, "" if number else name
            bar = "#" * round(_BAR_WIDTH * share)
            table.add_row(title, value, str(count), f"{share:.0%}", bar)
    console.print(table)


def distributions(dataset: Dataset) -> dict[str, dict[str, int]]:
    """How many episodes have each outcome, operator, and so on; the most frequent first."""

    def text(value: object) -> str:
        return "+".join(value) if isinstance(value, tuple) else str(value)

    return {
        name: dict(Counter(text(getattr(s, key)) for s in dataset.episodes).most_common())
        for name, key in _DISTRIBUTIONS.items()
    }


def _rows(column: Column, found: KeyStatistics) -> list[dict[str, str]]:
    """A row of texts for each element, by the headings."""
    rows = []
    columns = [np.atleast_1d(getattr(found, field)).ravel() for field in _FIELDS.values()]
    for index, values in enumerate(zip(*columns, strict=True)):
        element = column.names[index] if index < len(column.names) else str(index)
        figures = dict(zip(_FIELDS, map(_figure, values), strict=True))
        rows.append({"column": "" if index else column.path, "element": element, **figures})
    return rows


def _figure(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.3g}"
