"""The interface of an import format, and what all formats share.

What is imported goes through the same recorder as what is recorded live, and says of itself
where it came from: the notes of each episode name the source, the tool, the time, and what its
stamps are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from robot_learning import __version__
from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import DatasetInfo, EpisodeMetadata
from robot_learning.episodes.imports.unfinished import appearing, identity_of
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.store.folder import (
    INFO_NAME,
    DatasetFolder,
    refuse_other_things,
)
from robot_learning.episodes.store.index import read_index, read_splits, write_index
from robot_learning.episodes.store.trash import trash_episodes

Progress = Callable[[int, int], None]


@dataclass
class ImportReport:
    """What was imported, what was left out and why, and what to know of it.

    Attributes:
        path: folder of the dataset.
        episodes: names of the new episodes.
        rows: number of rows in all new episodes.
        invalid_rows: number of invalid rows in all new episodes.
        left_out: reason for each item of the source that was left out.
        notes: what to know of the import, a sentence each.
        splits: names of the episodes in each split.
        present: number of episodes of the source that an earlier import brought.
        known: names of the episodes that were there before, by their digests.
    """

    path: Path
    episodes: list[str] = field(default_factory=list)
    rows: int = 0
    invalid_rows: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    present: int = 0
    known: Mapping[str, str] = field(default_factory=dict)


class Importer(Protocol):
    """Reads one format."""

    def describe(self, source: Path) -> DatasetInfo:
        """What the dataset will hold, from the contents of `source`.

        Raises:
            EpisodeError: it is damaged or hostile.
            ConfigurationError: it does not fit what was asked for.
        """
        ...

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Record everything in `source`, and note it in `report`.

        Args:
            source: file or folder to read.
            recorder: takes the rows.
            report: notes what was imported and what was left out.
            progress: called with the parts of the source that are done and those in all.
        """
        ...


def import_dataset(
    source: Path, path: Path, importer: Importer, *, progress: Progress | None = None
) -> ImportReport:
    """Record the contents of `source` into the dataset `path`, made where there is none.

    A new dataset appears when the import ends, also by an error. One that is killed or stopped with
    Ctrl-C is gone on with by the same import of the unchanged source. Episodes that are there
    already are left out.

    Args:
        source: file or folder to import.
        path: folder of the dataset; made where there is none.
        importer: the format.
        progress: called with the parts of the source that are done and those in all; None for
            nothing.

    Raises:
        DatasetError: `source` is missing or nothing of it can be imported, `path` records something
            else, or something came there meanwhile; the text says where the import lies then.
        DatasetLockedError: another process writes to `path`.
        EpisodeError: `source` is damaged or hostile. Episodes before that point are kept.
        DependencyError: a library that the format needs is missing.
        KeyboardInterrupt: Ctrl-C was pressed; its text says what is kept, and where.
    """
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    report = ImportReport(path)
    path = path.resolve()
    refuse_other_things(path)
    info = importer.describe(source)
    if (path / INFO_NAME).exists():
        folder = DatasetFolder.create_or_open(path, info)
        _record(source, folder, importer, report, progress or _ignore)
    else:
        with appearing(path, identity_of(source, importer), info) as (folder, notes):
            report.notes += notes
            _record(source, folder, importer, report, progress or _ignore)
    if not (report.episodes or report.present):
        raise DatasetError(f"{source}: holds nothing to import{_reasons(report.left_out)}")
    return report


def _record(
    source: Path,
    folder: DatasetFolder,
    importer: Importer,
    report: ImportReport,
    progress: Progress,
) -> None:
    if folder.episode_names():
        report.known = {each.digest: each.name for each in read_index(folder).values()}
    with folder.lock():
        recorder = Recorder(folder)
        try:
            importer.record(source, recorder, report, progress)
            _store_splits(folder, report.splits)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_stopped(folder)) from None
        finally:
            if recorder.recording:
                recorder.discard()


def _stopped(folder: DatasetFolder) -> str:
    if not (count := len(folder.episode_names())):
        return "stopped; nothing was imported"
    kept = amount(count, "episode is", "episodes are")
    return f"stopped; {kept} in {folder.path}, and the same command goes on with the rest"


def imported_metadata(
    source: Path,
    item: str,
    *,
    kind: str,
    stamps: str,
    instruction: str = "",
    started_utc: str = "",
    notes: Mapping[str, str] | None = None,
) -> EpisodeMetadata:
    """The metadata of an imported episode.

    Args:
        source: file or folder that was imported.
        item: part of the source that became this episode.
        kind: name of the format.
        stamps: meaning of the stamps, in words.
        instruction: task in words.
        started_utc: start of the episode in ISO 8601; empty where it is not known.
        notes: other facts that the source gives of the episode, by name.
    """
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    version = f"robot_learning {__version__}"
    return EpisodeMetadata(
        instruction=instruction,
        started_utc=started_utc,
        software_version=version,
        notes={
            **(notes or {}),
            "imported_from": kind,
            "imported_file": source.name,
            "imported_item": item,
            "imported_utc": now,
            "imported_with": version,
            "stamps": stamps,
        },
    )


def finish_episode(recorder: Recorder, report: ImportReport, outcome: str) -> str:
    """Save the running episode and note it; returns its name.

    One that is in the dataset already is left out, and the name of that one is returned.

    Args:
        recorder: recorder whose episode runs.
        report: notes the saved episode.
        outcome: how the episode ended, one of `OUTCOMES`.
    """
    saved = recorder.stop(outcome)
    summary = saved.summary
    for stream, figures in saved.quality["streams"].items():
        refused = figures["refused_bad"] + figures["refused_future"]
        if refused:
            why = recorder.status(0).refused.get(stream, "")
            report.notes.append(f"{summary.name}: {refused} of {stream} were refused: {why}")
    if there := report.known.get(summary.digest, ""):
        for place in trash_episodes(recorder.folder, [summary.name]):
            place.unlink()
        report.present += 1
        report.left_out[f"an episode equal to {there}"] = "it is in the dataset already"
        return there
    report.episodes.append(summary.name)
    report.rows += summary.rows
    report.invalid_rows += summary.invalid_rows
    return summary.name


def _store_splits(folder: DatasetFolder, splits: Mapping[str, list[str]]) -> None:
    if splits:
        stored = read_splits(folder)
        for name, episodes in splits.items():
            stored[name] = list(dict.fromkeys([*stored.get(name, []), *episodes]))
        write_index(folder, read_index(folder).values(), stored)


def _reasons(left_out: Mapping[str, str]) -> str:
    first = [f"{item}: {why}" for item, why in left_out.items()][:3]
    return f" ({'; '.join(first)})" if first else ""


def _ignore(_done: int, _total: int) -> None:
    pass
