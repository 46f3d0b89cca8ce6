"""`info` and `list`: what a dataset is, and what it holds."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import make_console, make_table
from robot_learning.cli.dataset.selection import add_filters, open_chosen
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.amounts import amount

if TYPE_CHECKING:
    from rich.text import Text

    from robot_learning.cli.dataset.verb import Verbs
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.episodes.store.folder import DatasetFolder

_OUTCOME_STYLES = {"success": "green", "failure": "red"}
_VERDICT_STYLES = {"bad": "yellow"}


def add_verbs(verbs: Verbs) -> None:
    """Add `info` and `list`."""
    info = add_verb(verbs, "info", run_info, "what a dataset is: robot, streams, episodes, size")
    info.add_argument("--json", action="store_true", help="print JSON")
    listing = add_verb(verbs, "list", run_list, "list the episodes, one per line")
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_filters(listing)


def run_info(arguments: argparse.Namespace) -> int:
    """Print what the dataset is."""
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.episodes.store.folder import DatasetFolder

    dataset = Dataset(Path(arguments.dataset))
    folder = DatasetFolder(dataset.path)
    facts = _facts(dataset, folder)
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    console = make_console()
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        text = value
        if isinstance(value, dict):
            text = ", ".join(f"{count} {key}" for key, count in value.items())
        console.print(f"{name.replace('_', ' '):{width}}  {text}", soft_wrap=True)
    streams = make_table("stream", "rate", "max age", "columns", right=("rate", "max age"))
    for stream in dataset.info.streams:
        columns = ", ".join(f"{c.path} {c.dtype} {c.shape}" for c in stream.columns)
        streams.add_row(
            stream.name, f"{stream.rate_hz:g} Hz", f"{stream.max_age_s * 1e3:g} ms", columns
        )
    console.print(streams)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the chosen episodes."""
    dataset = open_chosen(arguments)
    if arguments.json:
        for summary in dataset.episodes:
            print(json.dumps(asdict(summary)))
        return 0
    right = ("rows", "seconds", "invalid", "round")
    table = make_table(
        *("episode", "rows", "seconds", "invalid", "outcome", "verdict", "operator", "round"),
        *("sources", "instruction"),
        right=right,
    )
    for summary in dataset.episodes:
        table.add_row(
            summary.name.removesuffix(".hdf5"),
            str(summary.rows),
            f"{summary.rows / dataset.info.rate_hz:.1f}",
            str(summary.invalid_rows or ""),
            _styled(summary.outcome, _OUTCOME_STYLES),
            _styled(summary.verdict, _VERDICT_STYLES),
            summary.operator,
            str(summary.round),
            "+".join(summary.sources),
            summary.instruction,
        )
    console = make_console()
    console.print(table)
    rows, rate_hz = dataset.rows, dataset.info.rate_hz
    console.print(
        f"{amount(len(dataset), 'episode')}, {amount(rows, 'row')}, {rows / rate_hz:.1f} s"
    )
    return 0


def _facts(dataset: Dataset, folder: DatasetFolder) -> dict[str, object]:
    info, episodes = dataset.info, dataset.episodes
    sizes = [(folder.episodes_path / summary.name).stat().st_size for summary in episodes]
    trash = folder.path / "trash"
    return {
        "dataset": str(dataset.path),
        "robot": info.robot,
        "task": info.task,
        "joints": ", ".join(info.joint_names),
        "rate_hz": info.rate_hz,
        "schema_version": info.schema_version,
        "episodes": len(episodes),
        "unfinished": len(folder.partial_paths()),
        "in_trash": len(list(trash.glob("*.hdf5*"))) if trash.is_dir() else 0,
        "rows": dataset.rows,
        "seconds": round(dataset.rows / info.rate_hz, 3),
        "mebibytes": round(sum(sizes) / 2**20, 2),
        "outcomes": dict(Counter(summary.outcome for summary in episodes)),
        "verdicts": dict(Counter(summary.verdict for summary in episodes)),
        "digest": dataset.digest,
    }


def _styled(text: str, styles: dict[str, str]) -> Text:
    from rich.text import Text

    return Text(text, styles.get(text, ""))
