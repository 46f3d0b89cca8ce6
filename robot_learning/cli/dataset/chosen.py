"""The episodes and rows that the options of a command choose."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.row_choice import RowChoice, parse_range


def open_chosen(arguments: argparse.Namespace) -> Dataset:
    """The episodes of `arguments.dataset` that match the options of `add_filters`."""
    dataset = Dataset(Path(arguments.dataset))
    if arguments.split is not None:
        dataset = dataset.stored_split(arguments.split)
    return dataset.select(
        outcomes=arguments.outcome,
        operators=arguments.operator,
        rounds=arguments.round,
        sources=arguments.source,
        verdicts=arguments.verdict,
    )


def row_choice(arguments: argparse.Namespace) -> RowChoice:
    """The rows that `--rows`, `--only` and `--every` choose."""
    first, end = parse_range(arguments.rows)
    return RowChoice(first, end, arguments.only, arguments.every)
