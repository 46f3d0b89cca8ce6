"""Training samples: a window of observations and a chunk of actions around one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.worker_threads import WorkerThreads
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import Encoding

RowMask = npt.NDArray[np.bool_]
Batch = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class WindowSpec:
    """Which windows.

    Attributes:
        observation_keys: columns that a window observes, images included; empty for every `obs/`
            column that is no image.
        observation_steps: number of rows of history, the current one last.
        action_steps: number of rows of the chunk, the current one first.
        action_key: column of the label; see `Dataset`.
        valid_only: whether to leave out windows with an invalid row in the history or whose current
            row has no usable label.
        sources: sources of which one must be in control of the current row; empty for any.
    """

    observation_keys: tuple[str, ...] = ()
    observation_steps: int = 1
    action_steps: int = 1
    action_key: str = "actions"
    valid_only: bool = True
    sources: tuple[str, ...] = ()


class Windows:
    """A sequence of windows. Low-dimensional columns are in memory, images are read on demand.

    A window maps each observation key to (observation_steps, *shape), `action` to
    (action_steps, n), and `observation_is_pad` and `action_is_pad` to masks that are True
    where the window reaches beyond its run of rows (`Dataset.row_bounds`; the first or last row
    stands there instead), and, for actions, where a row has no usable label. Floats are float32,
    images uint8 (height, width, channels). A batch has one more axis in front.

    Attributes:
        rows: (windows,) the current row of each window, among all rows of the dataset.
        action_valid: (rows of the dataset,) whether a row's label is usable; others are padding in
            chunks.
        labels: (rows,) mask of the rows whose label may be used; None for all.
    """

    def __init__(
        self, dataset: Dataset, spec: WindowSpec | None = None, labels: RowMask | None = None
    ) -> None:
        """Prepare the windows of `dataset`.

        Args:
            dataset: dataset with the chosen episodes.
            spec: shape of the windows, and which rows begin one; None for the defaults.
            labels: (rows,) mask of the rows whose label may be used, beside being valid; None for
                all. The others begin no window, and are padding in chunks.

        Raises:
            DatasetError: no such column, or not a single window.
            EpisodeError: an episode cannot be read.
        """
        self.spec = spec or WindowSpec()
        self.dataset = dataset
        self.labels = labels
        if self.spec.observation_steps < 1 or self.spec.action_steps < 1:
            raise DatasetError("windows have at least one observation and one action step")
        keys = self.spec.observation_keys or tuple(
            column.path
            for column in dataset.info.columns
            if column.path.startswith("obs/") and not column.is_image
        )
        is_image = {key: dataset.column(key).is_image for key in keys}
        self.image_keys = tuple(key for key in keys if is_image[key])
        self._decoders = WorkerThreads()
        array_keys = [key for key in keys if not is_image[key]]
        stream_ages = [f"streams/{stream.name}/age_ns" for stream in dataset.info.streams]
        dataset.column(self.spec.action_key)
        dataset.load([*array_keys, self.spec.action_key, "actions", "invalid", *stream_ages])
        self._arrays = {key: dataset.array(key) for key in array_keys}
        self._actions = dataset.array(self.spec.action_key)
        self.action_valid = dataset.action_valid()
        if labels is not None:
            self.action_valid &= labels
        self._starts = dataset.row_starts()
        self._first, self._end = dataset.row_bounds()
        self.rows = self._chosen_rows()
        if not len(self.rows):
            raise DatasetError(f"{dataset.path}: no window can be made: {self._why_none()}")
        self._episode_of = np.searchsorted(self._starts, self.rows, "right") - 1

    def __len__(self) -> int:
        return len(self.rows)

    def decode_alone(self) -> None:
        """Decode images in the calling thread: for a loader of several processes."""
        self._decoders = WorkerThreads(1)

    def __getitem__(self, index: int) -> Batch:
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return {key: values[0] for key, values in self.batch([index % len(self)]).items()}

    def batch(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """Several windows at once: much faster than one by one."""
        chosen = np.asarray(indices, np.int64)
        rows, episodes = self.rows[chosen][:, None], self._episode_of[chosen]
        first, end = self._first[rows], self._end[rows]
        history = rows + np.arange(1 - self.spec.observation_steps, 1)
        future = rows + np.arange(self.spec.action_steps)
        history_rows, future_rows = np.maximum(history, first), np.minimum(future, end - 1)
        batch: Batch = {key: array[history_rows] for key, array in self._arrays.items()}
        for key in self.image_keys:
            batch[key] = self._frames(key, history_rows, episodes)
        batch["observation_is_pad"] = history < first
        batch["action_is_pad"] = (future >= end) | ~self.action_valid[future_rows]
        batch["action"] = np.nan_to_num(self._actions[future_rows], copy=False)
        return batch

    def _frames(
        self, key: str, rows: npt.NDArray[np.int64], episodes: npt.NDArray[np.int64]
    ) -> npt.NDArray[Any]:
        column = self.dataset.column(key)
        frames = np.empty((*rows.shape, *column.shape), column.dtype)
        decoding: list[Callable[[], object]] = []
        repeated: list[tuple[int, int]] = []
        for number, number_of_episode in enumerate(episodes):
            name = self.dataset.episodes[number_of_episode].name
            episode, start = self.dataset.episode(name), self._starts[number_of_episode]
            for step, row in enumerate(rows[number]):
                if step and row == rows[number, step - 1]:
                    repeated.append((number, step))
                    continue
                place, index = frames[number, step], int(row - start)
                if column.encoding is Encoding.JPEG:
                    # The file is read here; what takes the time needs no file.
                    data = episode.frame_bytes(key, index)
                    decoding.append(partial(episode.decode_frame, key, index, data, place))
                else:
                    place[:] = episode.frame(key, index)
        self._decoders.run(decoding)
        for number, step in repeated:
            frames[number, step] = frames[number, step - 1]
        return frames

    def _why_none(self) -> str:
        rows, labelled = self.dataset.rows, int(self.action_valid.sum())
        invalid = int(np.count_nonzero(self.dataset.array("invalid")))
        counts = (
            f"of {amount(rows, 'row')} {amount(invalid, 'is', 'are')} invalid and "
            f"{amount(rows - labelled, 'has', 'have')} no usable label"
        )
        if not self.spec.sources:
            return counts
        driven = int(self.dataset.source_rows(self.spec.sources).sum())
        return (
            f"{counts}; {amount(driven, 'was', 'were')} driven by {' or '.join(self.spec.sources)}"
        )

    def _chosen_rows(self) -> npt.NDArray[np.int64]:
        chosen = np.ones(self.dataset.rows, bool) if self.labels is None else self.labels.copy()
        if self.spec.valid_only:
            invalid = self.dataset.array("invalid") != 0
            before = np.concatenate([[0], np.cumsum(invalid)])
            rows = np.arange(len(invalid))
            first = np.maximum(rows + 1 - self.spec.observation_steps, self._first)
            chosen &= before[rows + 1] == before[first]
            chosen &= self.action_valid
        if self.spec.sources:
            chosen &= self.dataset.source_rows(self.spec.sources)
        return np.flatnonzero(chosen)
