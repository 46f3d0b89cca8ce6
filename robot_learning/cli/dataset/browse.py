"""`info` and `list`: what a dataset is, and what it holds."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import asdict
from rich.table import Table
from rich.text import Text

from robot_learning.cli.common.console import make_console, make_table, print_what_fits
from robot_learning.cli.dataset.chosen import open_chosen
from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, is_corrective

_OUTCOME_STYLES = {"success": "green", "failure": "red"}
_VERDICT_STYLES = {"bad": "yellow"}
_COLUMNS = (
    *("episode", "recorded", "rows", "seconds", "invalid", "outcome", "verdict", "operator"),
    *("round", "seed", "sources", "instruction"),
)
# In a terminal that is too narrow, beginning with the first.
_FIRST_LEFT_OUT = ("round", "sources", "instruction", "seconds", "operator", "verdict")
_RIGHT = ("rows", "seconds", "invalid", "round", "seed")


def run_info(arguments: argparse.Namespace) -> int:
    """Print what the dataset is."""
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
    console.print(_streams(dataset.info))
    return 0


def _streams(info: DatasetInfo) -> Table:
    """A line a column, so that it is narrow; what holds for the whole stream is on its first."""
    table = make_table("stream", "rate", "max age", "columns", right=("rate", "max age"))
    for stream in info.streams:
        facts = (stream.name, f"{stream.rate_hz:g} Hz", f"{stream.max_age_s * 1e3:g} ms")
        for column in stream.columns:
            table.add_row(*facts, f"{column.path} {column.dtype} {column.shape}")
            facts = ("", "", "")
    return table


def run_list(arguments: argparse.Namespace) -> int:
    """Print the chosen episodes."""
    dataset = open_chosen(arguments)
    if arguments.json:
        for summary in dataset.episodes:
            print(json.dumps(asdict(summary)))
        return 0
    cells = [_cells(summary, dataset.info.rate_hz) for summary in dataset.episodes]
    columns = [name for name in _COLUMNS if any(of_one[name] for of_one in cells)]
    print_what_fits(
        make_console(),
        [{name: of_one[name] for name in columns} for of_one in cells],
        right=_RIGHT,
        first_left_out=_FIRST_LEFT_OUT,
    )
    print(_total(dataset))
    bad = [summary.name for summary in dataset.episodes if summary.verdict == "bad"]
    if bad:
        name = bad[0].removesuffix(".hdf5")
        print(
            f"{amount(len(bad), 'episode')} with the verdict bad; `robot-learning dataset view "
            f"{dataset.path} {name}` says why"
        )
    older = sum(summary.started_utc is None for summary in dataset.episodes)
    if older:
        print(
            f"date and seed of {amount(older, 'episode')} are not in the index, which an older "
            f"version wrote; `robot-learning dataset repair {dataset.path}` adds them"
        )
    return 0


def _total(dataset: Dataset) -> str:
    corrective = dataset.corrective_rows
    note = f" ({amount(corrective, 'corrective label')} among them)" if corrective else ""
    counts = f"{amount(len(dataset), 'episode')}, {amount(dataset.rows, 'row')}"
    return f"{counts}{note}, {dataset.seconds:.1f} s"


def _cells(summary: EpisodeSummary, rate_hz: float) -> dict[str, str | Text]:
    """A line of the table, by the names of `_COLUMNS`."""
    return {
        "episode": summary.name.removesuffix(".hdf5"),
        "recorded": local_time(summary.started_utc or ""),
        "rows": str(summary.rows),
        "seconds": "" if is_corrective(summary) else f"{summary.rows / rate_hz:.1f}",
        "invalid": str(summary.invalid_rows or ""),
        "outcome": _styled(summary.outcome, _OUTCOME_STYLES),
        "verdict": _styled(summary.verdict, _VERDICT_STYLES),
        "operator": summary.operator,
        "round": str(summary.round),
        "seed": "" if summary.seed is None else str(summary.seed),
        "sources": "+".join(summary.drivers),
        "instruction": summary.instruction,
    }


def local_time(utc: str) -> str:
    """ISO 8601 as date and time here, to the minute; what is something else as it stands."""
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(utc.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return utc


def _facts(dataset: Dataset, folder: DatasetFolder) -> dict[str, object]:
    info, episodes = dataset.info, dataset.episodes
    sizes = [(folder.episodes_path / summary.name).stat().st_size for summary in episodes]
    trash = folder.path / "trash"
    corrective = dataset.corrective_rows
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
        **({"corrective_rows": corrective} if corrective else {}),
        "seconds": round(dataset.seconds, 3),
        "mebibytes": round(sum(sizes) / 2**20, 2),
        # Of corrective labels none succeeds or fails.
        "outcomes": dict(Counter(summary.outcome for summary in dataset.recorded_episodes)),
        "verdicts": dict(Counter(summary.verdict for summary in episodes)),
        "sources": dict(Counter("+".join(summary.drivers) for summary in episodes)),
        "digest": dataset.digest,
    }


def _styled(text: str, styles: dict[str, str]) -> Text:
    return Text(text, styles.get(text, ""))
