"""A dataset as training reads it: episodes chosen by what they are, in memory or by window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import unknown_choice
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.open_episodes import OpenEpisodes
from robot_learning.episodes.dataset.splits import divided
from robot_learning.episodes.dataset.statistics import KeyStatistics, cached_statistics
from robot_learning.episodes.dataset.summaries import all_summaries
from robot_learning.episodes.format.digests import combine
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.format.schema import Column, DatasetInfo, Stream
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import (
    EpisodeSummary,
    is_corrective,
    read_index,
    read_splits,
    write_index,
)


class Dataset:
    """Some or all episodes of a dataset folder. Opening reads the index, not the episodes.

    The column `actions` is the label of each row: the clean action of the source in control
    (`human` while the human drove, `policy` while the policy drove, else `applied`),
    overridden by the newest label layer whose mask covers the row. The rule is applied when
    the file is written, so that every reader of the file sees the same; see `labels.py`.
    `expert_rows` tells whose label is an expert's.
    """

    def __init__(self, path: Path | str) -> None:
        """Open all episodes of the folder `path`.

        Raises:
            DatasetError: there is no dataset.
            SchemaVersionError: a newer version wrote it.
            EpisodeError: its index is damaged; repair it.
        """
        self._folder = DatasetFolder(Path(path))
        self._episodes = all_summaries(self._folder)
        self._open = OpenEpisodes()
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._expert: npt.NDArray[np.bool_] | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def info(self) -> DatasetInfo:
        """What its episodes have in common."""
        return self._folder.info

    @property
    def episodes(self) -> Sequence[EpisodeSummary]:
        """The chosen episodes, in order."""
        return self._episodes

    @property
    def rows(self) -> int:
        """Rows of all chosen episodes."""
        return sum(summary.rows for summary in self._episodes)

    @property
    def digest(self) -> str:
        """One digest of what all chosen episodes recorded."""
        return combine({summary.name: summary.digest for summary in self._episodes})

    def __len__(self) -> int:
        return len(self._episodes)

    def select(
        self,
        *,
        outcomes: Iterable[str] | None = None,
        rounds: Iterable[int] | None = None,
        operators: Iterable[str] | None = None,
        instructions: Iterable[str] | None = None,
        sources: Iterable[str] | None = None,
        verdicts: Iterable[str] | None = None,
        names: Iterable[str] | None = None,
    ) -> Dataset:
        """The episodes that match everything that is given.

        To keep only the rows in which one of the `sources` was in control, give them to `windows`
        too.

        Args:
            outcomes: outcomes to keep; None keeps any.
            rounds: DAgger rounds to keep; None keeps any.
            operators: operators to keep; None keeps any.
            instructions: instructions to keep; None keeps any.
            sources: sources (`human`, `policy`, `none`, `corrective`) of which one has to be in
                control at some row; None keeps any.
            verdicts: quality verdicts to keep; None keeps any.
            names: file names of episodes to keep; None keeps any.
        """
        wanted: dict[str, set[Any] | None] = {
            "outcome": _set(outcomes),
            "round": _set(rounds),
            "operator": _set(operators),
            "instruction": _set(instructions),
            "verdict": _set(verdicts),
            "name": _set(names),
        }
        any_source = _set(sources)

        def matches(summary: EpisodeSummary) -> bool:
            if any_source is not None and not any_source & set(summary.sources):
                return False
            return all(
                values is None or getattr(summary, key) in values for key, values in wanted.items()
            )

        return self._with(matches)

    def badly_timed(self) -> dict[str, tuple[str, ...]]:
        """The episodes that are no labels: their timing was bad, and nobody keeps them by hand.

        Only files of episodes whose verdict is bad are opened.

        Returns:
            Name to what was bad about it (`quality.timing_reasons`), in order.

        Raises:
            EpisodeError: an episode cannot be read.
        """
        found = {}
        for summary in self.select(verdicts=["bad"]).episodes:
            episode = self.episode(summary.name)
            if episode.bad_timing and not episode.kept_by_hand:
                found[summary.name] = episode.bad_timing
        return found

    def without(self, names: Iterable[str]) -> Dataset:
        """The chosen episodes but for these."""
        unwanted = set(names)
        return self._with(lambda summary: summary.name not in unwanted)

    def split(self, fractions: Mapping[str, float], seed: int = 0) -> dict[str, Dataset]:
        """Divide the episodes at random, whole; the same seed gives the same parts.

        Every part has at least one episode, if there are enough. Episodes with equal digests
        are one episode that was recorded twice: they stay together. Corrective labels stay with
        the episode that they were made for.

        Raises:
            DatasetError: the fractions are not positive, sum to more than 1, or there are
                fewer different episodes than parts.
        """
        copies: dict[str, list[str]] = {}
        origins = self._digests_of_origins()
        for summary in self._episodes:
            digest = origins.get(summary.name, summary.digest)
            copies.setdefault(digest, []).append(summary.name)
        parts = divided(list(copies.values()), fractions, seed)
        return {part: self.select(names=names) for part, names in parts.items()}

    @property
    def recorded_episodes(self) -> tuple[EpisodeSummary, ...]:
        """The chosen episodes that were recorded: all but those of corrective labels."""
        return tuple(s for s in self._episodes if not is_corrective(s))

    @property
    def corrective_rows(self) -> int:
        """Rows of the chosen episodes that are corrective labels."""
        return sum(summary.rows for summary in self._episodes if is_corrective(summary))

    @property
    def seconds(self) -> float:
        """Duration of the chosen episodes; corrective labels have none, as nothing moved."""
        return (self.rows - self.corrective_rows) / self.info.rate_hz

    def _digests_of_origins(self) -> dict[str, str]:
        """Of episodes of corrective labels the digests of the episodes that they were made for."""
        corrective = [s.name for s in self._episodes if is_corrective(s)]
        if not corrective:
            return {}
        known = {self.episode(s.name).recording_digest: s.digest for s in self.recorded_episodes}
        found = {}
        for name in corrective:
            origins = self.episode(name).origins
            if origins is not None:
                found[name] = known.get(origins.digest, origins.digest)
        return found

    def copies(self) -> dict[str, str]:
        """Episodes that are equal to an earlier one, by their digests -> that one."""
        first: dict[str, str] = {}
        found = {}
        for summary in self._episodes:
            original = first.setdefault(summary.digest, summary.name)
            if original != summary.name:
                found[summary.name] = original
        return found

    def save_splits(self, parts: Mapping[str, Dataset]) -> None:
        """Store splits in the index, where robomimic and `stored_split` find them.

        Raises:
            DatasetLockedError: somebody is recording into this dataset.
        """
        with self._folder.lock():
            stored = read_splits(self._folder)
            stored.update({k: [s.name for s in part.episodes] for k, part in parts.items()})
            write_index(self._folder, read_index(self._folder).values(), stored)

    def stored_splits(self) -> dict[str, list[str]]:
        """The stored splits: name to the names of their episodes, chosen here or not."""
        return read_splits(self._folder) if self._folder.index_path.exists() else {}

    def stored_split(self, name: str) -> Dataset:
        """The episodes of a stored split.

        Raises:
            DatasetError: there is none of this name.
        """
        stored = read_splits(self._folder)
        if name not in stored:
            raise DatasetError(unknown_choice("split", name, stored))
        return self.select(names=stored[name])

    def episode(self, name: str) -> Episode:
        """One episode, open; it stays open and is closed by itself.

        Raises:
            EpisodeError: it cannot be read, or is not the one that the index describes.
        """
        episode = self._open.get(self._folder.episodes_path / name)
        if episode.info.columns != self.info.columns:
            raise EpisodeError(f"{episode.path}: has other columns than the dataset")
        return episode

    def column(self, path: str) -> Column:
        """The description of a column.

        Raises:
            DatasetError: there is none; the text lists what there is.
        """
        try:
            return self.info.column(path)
        except KeyError:
            known = [column.path for column in self.info.columns]
            raise DatasetError(f"{self.path}: {unknown_choice('column', path, known)}") from None

    def spelling(self, path: str) -> str:
        """A column's path as this dataset has it: a camera is `images/front` or `obs/front`.

        Which of the two depends on how its frames are stored; either may be given.

        Raises:
            DatasetError: there is no such column.
        """
        root, _, name = path.partition("/")
        other = {"images": f"obs/{name}", "obs": f"images/{name}"}.get(root)
        if not self.has_column(path) and other and self.has_column(other):
            return other
        return self.column(path).path

    def array(self, path: str) -> npt.NDArray[Any]:
        """A low-dimensional column of all chosen episodes, `(rows, *shape)`, kept in memory.

        Floats as float32. Also the columns that `Episode.column` names.

        Raises:
            EpisodeError: an episode cannot be read, or the column holds images.
        """
        self.load([path])
        return self._arrays[path]

    def load(self, paths: Iterable[str]) -> None:
        """Read several columns into memory in one pass over the files."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._arrays]
        if not missing:
            return
        columns = {column.path: column for column in self.info.columns}
        for path in missing:
            if path in columns and columns[path].is_image:
                raise EpisodeError(f"'{path}' holds images; read them by window or by frame")
        parts: dict[str, list[npt.NDArray[Any]]] = {path: [] for path in missing}
        for summary in self._episodes:
            episode = self.episode(summary.name)
            if episode.rows != summary.rows:
                raise EpisodeError(f"{episode.path}: the index is out of date; repair the dataset")
            for path in missing:
                rows = episode.column(path)
                parts[path].append(rows.astype(np.float32) if rows.dtype.kind == "f" else rows)
        for path, rows in parts.items():
            shape = columns[path].shape if path in columns else ()
            self._arrays[path] = np.concatenate(rows) if rows else np.zeros((0, *shape))

    def row_starts(self) -> npt.NDArray[np.int64]:
        """(episodes + 1,) where each episode begins among all rows, and their number."""
        counts = [summary.rows for summary in self._episodes]
        return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def row_bounds(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(rows,) the first row of the run that each row lies in, and the row after its last.

        The rows of a run follow each other in time. A recorded episode is one run; of corrective
        labels every row is one of its own.
        """
        starts = self.row_starts()
        counts = np.diff(starts)
        first, end = np.repeat(starts[:-1], counts), np.repeat(starts[1:], counts)
        for number, summary in enumerate(self._episodes):
            if is_corrective(summary):
                rows = np.arange(starts[number], starts[number + 1])
                first[rows], end[rows] = rows, rows + 1
        return first, end

    def action_valid(self) -> npt.NDArray[np.bool_]:
        """(rows,) whether each row's label can be trained on: fresh, and not NaN."""
        stream = self._action_stream()
        age, actions = self.action_columns()
        self.load([age, actions])
        ages_ns = self.array(age)
        fresh = (ages_ns >= 0) & (ages_ns <= seconds_to_ns(stream.max_age_s))
        return np.asarray(fresh & np.isfinite(self.array(actions)).all(axis=1))

    def action_columns(self) -> tuple[str, str]:
        """What `action_valid` reads: the ages of the labels, and the labels."""
        return f"streams/{self._action_stream().name}/age_ns", "actions"

    def _action_stream(self) -> Stream:
        return next(s for s in self.info.streams if any(c.path == "actions" for c in s.columns))

    def statistics(self, keys: Sequence[str]) -> dict[str, KeyStatistics]:
        """Per column the statistics for normalisation, over valid rows.

        Computed once for this choice of episodes and cached beside them.
        """
        for key in keys:
            self.column(key)
        return cached_statistics(self, keys)

    def source_rows(self, sources: Iterable[str]) -> npt.NDArray[np.bool_]:
        """(rows,) where one of `sources` was in control.

        Raises:
            DatasetError: no such source.
        """
        known = {source.name.lower(): int(source) for source in Source}
        codes = []
        for name in sources:
            if name not in known:
                raise DatasetError(unknown_choice("source", name, known))
            codes.append(known[name])
        return np.isin(self.array("control/source"), codes)

    def expert_rows(self) -> npt.NDArray[np.bool_]:
        """(rows,) whether each row's label is an expert's, read once and kept.

        It is where the human drove, a label layer covers the row, or the row is a corrective label,
        which follows from what an expert demonstrated. A dataset that records
        nobody's control, an imported one, holds demonstrations: every row is.

        Raises:
            EpisodeError: an episode cannot be read.
        """
        if self._expert is None:
            if not self.has_column("control/source"):
                self._expert = np.ones(self.rows, bool)
            else:
                self._expert = self.source_rows(["human", "corrective"])
                for summary, start in zip(self._episodes, self.row_starts(), strict=False):
                    for layer in self.episode(summary.name).labels():
                        self._expert[start : start + summary.rows] |= layer.mask
        return self._expert

    def has_column(self, path: str) -> bool:
        """Whether there is such a column."""
        return any(column.path == path for column in self.info.columns)

    def _with(self, matches: Callable[[EpisodeSummary], bool]) -> Dataset:
        chosen = object.__new__(Dataset)
        chosen._folder = self._folder
        chosen._episodes = [summary for summary in self._episodes if matches(summary)]
        chosen._open = self._open
        chosen._arrays = {}
        chosen._expert = None
        return chosen


def _set(values: Iterable[Any] | None) -> set[Any] | None:
    if isinstance(values, str):
        return {values}
    return None if values is None else set(values)
