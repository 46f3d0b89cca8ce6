"""Datasets of LeRobot, versions 2.0, 2.1 and 3.0: tables in Parquet, videos in MP4, and JSON.

Read by pyarrow and PyAV alone, front to back, so that memory does not grow with the dataset. An
episode is imported whole or left out by name; of those that are in the dataset already, from an
import that was killed say, none is imported again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.format.schema import DatasetInfo, EpisodeMetadata
from robot_learning.episodes.imports import nominal
from robot_learning.episodes.imports.importer import (
    ImportReport,
    Progress,
    finish_episode,
    imported_metadata,
)
from robot_learning.episodes.imports.joint_turns import JointTurns
from robot_learning.episodes.imports.layout import Omissions
from robot_learning.episodes.imports.lerobot.earlier import (
    EarlierEpisodes,
    digest_of,
    notes_of,
)
from robot_learning.episodes.imports.lerobot.lines import Line
from robot_learning.episodes.imports.lerobot.opened import Opened, data_files, open_source
from robot_learning.episodes.imports.lerobot.runs import (
    TASK_INDEX,
    Run,
    check_run,
    first_index,
    runs_in,
    times_of,
)
from robot_learning.episodes.imports.lerobot.units import JointUnits, Units
from robot_learning.episodes.imports.nominal import NominalEpisode, NominalOptions
from robot_learning.episodes.recording.recorder import Recorder

# What the name of a split may not have: it becomes a name in the index.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_\-]+")


@dataclass(frozen=True)
class LeRobotImporter:
    """Reads LeRobot's layout.

    Attributes:
        robot: name of the robot in the dataset.
        task: name of the task in the dataset.
        instruction: task in words; empty for that of each episode.
        profile: profile of the robot, which names the joints; None where there is none.
        encode_images: whether pictures that were stored without loss are stored as JPEG.
        units: units of the joints that turn; angles are brought into the profile's turns only where
            they are stated.
    """

    robot: str
    task: str = "imported"
    instruction: str = ""
    profile: RobotProfile | None = None
    encode_images: bool = False
    units: Units = "stored"

    def __post_init__(self) -> None:
        """Refuse degrees of a robot without a profile.

        Raises:
            ConfigurationError: nothing says which of its joints turn.
        """
        if self.units == "degrees" and self.profile is None:
            raise ConfigurationError(
                f"--units degrees: robot '{self.robot}' has no profile, which says which joints "
                "turn; name a profile (`robot-learning robots`), or import the values as stored"
            )

    def describe(self, source: Path) -> DatasetInfo:
        """From `meta/info.json`, the first table and the first frames; see `Importer`."""
        opened = self._opened(source)
        options = NominalOptions(
            robot=self.robot,
            rate_hz=opened.description.rate_hz,
            task=self.task,
            profile=self.profile,
        )
        info = nominal.describe(options, opened.features.columns)
        return replace(info, joint_names=info.joint_names or opened.features.joint_names)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Record every episode.

        Args:
            source: folder to read.
            recorder: takes the rows.
            report: notes what was imported and what was left out.
            progress: called with the episodes that are done and the episodes in all.
        """
        _Import(self, self._opened(source), recorder, report).run(progress)

    def _opened(self, source: Path) -> Opened:
        opened = open_source(source, self.profile, encode_images=self.encode_images)
        if self.units == "degrees" and opened.description.own is not None:
            raise ConfigurationError(
                f"--units degrees: {source} is an export of this package, in radians already; "
                "leave the option out"
            )
        return opened


@dataclass
class _Counts:
    """What is told at the end, as numbers of episodes; of rows without a frame by camera."""

    late: int = 0
    elsewhere: int = 0
    misplaced: int = 0
    present: int = 0
    marked_rows: int = 0
    lost_frames: dict[str, int] = field(default_factory=dict)


class _Import:
    """One import, while it runs."""

    def __init__(
        self, options: LeRobotImporter, opened: Opened, recorder: Recorder, report: ImportReport
    ) -> None:
        self._options, self._opened = options, opened
        self._recorder, self._report = recorder, report
        self._left_out, self._counts = Omissions(), _Counts()
        is_stated = options.units != "stored"
        self._gaps = nominal.Gaps()
        self._turns = JointTurns(options.profile if is_stated else None)
        self._units = JointUnits(options.profile, options.units)
        self._sources = opened.sources()
        self._earlier = EarlierEpisodes(recorder.folder)
        self._names: dict[int, str] = {}
        self._handled: set[int] = set()

    def run(self, progress: Progress) -> None:
        lines, report = self._opened.lines, self._report
        for number, why in lines.refused.items():
            self._left_out.add(f"episode {number}", "", why)
        total = len(lines.found) + len(lines.refused)
        try:
            for run in self._runs():
                self._handled.add(run.number)
                self._take_or_leave_out(run)
                progress(len(lines.refused) + len(self._handled), total)
        finally:
            for source in self._sources.values():
                source.close()
        for number in sorted(lines.found.keys() - self._handled):
            self._left_out.add(f"episode {number}", "", "no table that can be read has its rows")
        report.left_out.update(self._opened.features.left_out)
        report.left_out.update(self._left_out.lines())
        report.present += self._counts.present
        report.notes += self._notes()
        report.splits.update(self._splits())

    def _runs(self) -> Iterator[Run]:
        """The rows of each episode that the table knows, once."""
        description, lines = self._opened.description, self._opened.lines
        for path in data_files(description, lines):
            place = path.relative_to(description.root).as_posix()
            try:
                for run in runs_in(path, self._opened.features.tables, lines.found):
                    item = f"{place}: episode {run.number}"
                    if run.number in self._handled:
                        self._left_out.add(item, "", "rows of it in another place, too")
                    elif run.number in lines.found:
                        yield run
                    elif run.number not in lines.refused:
                        self._left_out.add(item, "", "no line in the table of episodes")
            except FileAccessError:
                raise
            except EpisodeError as problem:
                self._left_out.add(place, "", str(problem))

    def _take_or_leave_out(self, run: Run) -> None:
        try:
            self._take(run)
        except FileAccessError:
            raise
        except EpisodeError as problem:
            if self._recorder.stop_reason:
                raise
            if self._recorder.recording:
                self._recorder.discard()
            self._left_out.add(f"episode {run.number}", "", str(problem))

    def _take(self, run: Run) -> None:
        """Record one episode."""
        opened, line = self._opened, self._opened.lines.found[run.number]
        check_run(run, line)
        arrays = {each.column.path: each.rows(run) for each in opened.features.taken}
        digest = digest_of(run.number, arrays)
        if (name := self._earlier.name(digest)) is not None:
            self._earlier.refuse_other_units(name, self._options.units)
            self._counts.present += 1
            self._names[run.number] = name
            self._earlier.remove_cut(digest)
            return
        times_s = times_of(run, opened.description.rate_hz)
        self._count(run, line, times_s)
        # Whole numbers in three dimensions are a picture, as they are in every dataset here.
        pictures = [each.column.path for each in opened.features.taken if each.column.is_image]
        frames: dict[str, Callable[[int], Any]] = {
            path: arrays[path].__getitem__ for path in pictures
        }
        for name, column in opened.features.cameras.items():
            self._sources[name].begin(line, run, times_s)
            frames[column.path] = partial(self._frame, name)
        episode = self._units.applied(NominalEpisode(run.rows, arrays, frames))
        episode = self._turns.applied(episode, f"episode {run.number}")
        item = f"{run.path}, episode {run.number}"
        nominal.record_episode(self._recorder, episode, self._metadata(run, line, digest), item)
        self._units.look(episode)
        self._gaps.look(episode)
        if (valid := arrays.get("control/valid")) is not None and valid.dtype == bool:
            self._counts.marked_rows += int((~valid).sum())
        outcome = self._outcome(line, arrays)
        self._names[run.number] = finish_episode(self._recorder, self._report, outcome)
        self._earlier.remove_cut(digest)

    def _frame(self, camera: str, row: int) -> Any:
        frame = self._sources[camera].frame(row)
        if frame is None:
            lost = self._counts.lost_frames
            lost[camera] = lost.get(camera, 0) + 1
        return frame

    def _metadata(self, run: Run, line: Line, digest: str) -> EpisodeMetadata:
        description, tasks = self._opened.description, line.tasks
        if not tasks and self._opened.tasks and run.has(TASK_INDEX):
            task = self._opened.tasks.get(int(run.column(TASK_INDEX, ())[0]), "")
            tasks = (task,)
        return imported_metadata(
            description.root,
            f"episode {run.number}",
            kind="lerobot",
            stamps=f"nominal: rows are laid {1 / description.rate_hz:g} s apart, at the "
            f"{description.rate_hz:g} Hz of meta/info.json",
            instruction=self._options.instruction or "".join(tasks[:1]),
            notes={
                **notes_of(digest, run.rows, self._options.units),
                "source_version": description.version,
                **({"source_tasks": "; ".join(tasks)} if len(tasks) > 1 else {}),
            },
        )

    def _outcome(self, line: Line, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
        own = self._opened.description.own
        if own is not None and line.number < len(own.outcomes):
            return own.outcomes[line.number]
        if line.outcome:
            return line.outcome
        success = arrays.get("task/success")
        if success is None:
            return "unknown"
        return "success" if success.any() else "failure"

    def _count(self, run: Run, line: Line, times_s: npt.NDArray[np.float64]) -> None:
        rate_hz, counts = self._opened.description.rate_hz, self._counts
        nominal_s = np.arange(run.rows) / rate_hz
        counts.late += bool((np.abs(times_s - nominal_s) > 0.5 / rate_hz).any())
        counts.elsewhere += run.path != line.data
        index = first_index(run)
        counts.misplaced += line.first_row is not None and index not in (None, line.first_row)

    def _notes(self) -> list[str]:
        counts, notes = self._counts, list(self._opened.features.notes)
        if counts.late:
            notes.append(
                f"timestamps of {amount(counts.late, 'episode')} are more than half a period off: "
                "rows are laid at the rate, and frames found by the timestamps"
            )
        if counts.elsewhere:
            where = amount(counts.elsewhere, "episode is", "episodes are")
            notes.append(f"{where} in another file than the table of episodes says; taken there")
        if counts.misplaced:
            notes.append(
                f"where the rows of {amount(counts.misplaced, 'episode')} begin is wrong in the "
                "table of episodes; they were found by their 'episode_index'"
            )
        if counts.present:
            there = amount(counts.present, "episode is", "episodes are")
            notes.append(f"{there} in the dataset already, and not imported again")
        if counts.marked_rows:
            marked = "that the source marks as invalid"
            rows = amount(counts.marked_rows, f"row {marked} counts", f"rows {marked} count")
            notes.append(f"{rows} as valid here")
        for camera, rows_lost in counts.lost_frames.items():
            notes.append(f"'{camera}' has no frame for {amount(rows_lost, 'row')}: invalid here")
        # The units of this package's own export are its own.
        is_told = self._opened.description.own is None and bool(self._report.episodes)
        units = self._units.notes() if is_told else []
        return notes + self._turns.notes() + units + self._gaps.notes()

    def _splits(self) -> dict[str, list[str]]:
        """The stored splits; one that holds everything, which most datasets have, is none."""
        description, lines = self._opened.description, self._opened.lines
        everything = {*lines.found, *lines.refused}
        own = description.own.splits if description.own is not None else {}
        named: dict[str, Collection[int]] = {
            **{name: range(*stretch) for name, stretch in description.splits.items()},
            **{name: frozenset(numbers) for name, numbers in own.items()},
        }
        found = {
            name: [each for number, each in self._names.items() if number in numbers]
            for name, numbers in named.items()
            if name in own or not all(number in numbers for number in everything)
        }
        return {_NOT_IN_A_NAME.sub("_", name): names for name, names in found.items() if names}
