"""Training batches from tensors that stay on the device: indexing instead of loading.

A batch has the keys and shapes of `episodes.dataset.torch_view`. Low-dimensional columns always
stay in memory, as one table, so that one gather fetches all of them; images do while they fit and
are decoded by window otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.torch_view import TensorBatch
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import Column
from robot_learning.episodes.recording.standard import POSE_NAMES
from robot_learning.learning.training.config import DataConfig
from robot_learning.learning.training.weights import row_weights, usable_labels

END_EFFECTOR = "_end_effector"
"""Suffix of the names of end-effector poses, which follow from the robot's joints."""
# Left out of the default observation: effort is not measured everywhere, and from velocity a
# policy learns to continue its present motion.
_UNUSED = ("obs/joint_velocity", "obs/joint_effort")


def default_keys(dataset: Dataset, use_cameras: bool = True) -> tuple[str, ...]:
    """The columns that a policy sees by default.

    These are joint positions, end-effector poses and every camera; without a camera also the true
    poses of objects. With true poses a policy would look good in simulation and be useless on an
    arm, which does not know them.
    """
    columns = dataset.info.columns
    cameras = [column.path for column in columns if use_cameras and _is_colour(column)]
    seen = [
        column.path
        for column in columns
        if column.path.startswith("obs/")
        and not column.is_image
        and column.path not in _UNUSED
        and not (cameras and is_true_pose(column))
    ]
    return (*seen, *cameras)


def observation_keys(dataset: Dataset, config: DataConfig) -> tuple[str, ...]:
    """The columns that a policy sees, by the dataset's own names.

    Raises:
        DatasetError: a column is not in the dataset.
    """
    given = config.observation_keys or default_keys(dataset, config.use_cameras)
    return tuple(dataset.spelling(key) for key in given)


def is_true_pose(column: Column) -> bool:
    """Whether a column is the pose of an object, which simulation knows and no real arm does."""
    is_pose = column.shape == (7,) and column.names == POSE_NAMES
    is_seen = column.path.startswith("obs/") and not column.path.endswith(END_EFFECTOR)
    return is_pose and is_seen


def _is_colour(column: Column) -> bool:
    return column.is_image and column.dtype == "uint8" and column.shape[2:] == (3,)


class Batches:
    """All usable windows of a dataset, by number.

    Attributes:
        rows: (windows,) index of each window's current row among all rows of the dataset.
        weights: (windows,) float32 weight of each window in the loss.
    """

    def __init__(
        self, dataset: Dataset, config: DataConfig, device: torch.device, *, seed: int = 0
    ) -> None:
        """Read the dataset.

        Raises:
            DatasetError: a column is missing, no window is usable, or one contains NaN.
            EpisodeError: an episode cannot be read.
        """
        self.config = config
        self.device = device
        keys = observation_keys(dataset, config)
        spec = WindowSpec(
            keys, config.observation_steps, config.action_steps, sources=config.sources
        )
        labels = usable_labels(dataset, config)
        self._windows = windows = Windows(dataset, spec, labels)
        self._action_valid = torch.from_numpy(windows.action_valid).to(device)
        self.image_keys = windows.image_keys
        self.keys = tuple(key for key in keys if key not in windows.image_keys)
        chosen = _subset(windows.rows, dataset.row_starts(), config.rows_per_episode, seed)
        self._window_numbers = np.searchsorted(windows.rows, chosen)
        self._place_windows(dataset, chosen)
        self._place_columns(dataset)
        self._images = self._cached_images(dataset)
        self.weights = torch.from_numpy(row_weights(dataset, config, chosen)).to(device)
        if not float(self.weights.sum()) > 0:
            raise DatasetError(f"{dataset.path}: every row that is trained on has weight 0")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def streams_images(self) -> bool:
        """Whether images are decoded from the files for each batch."""
        return bool(self.image_keys) and not self._images

    def batch(self, indices: torch.Tensor) -> TensorBatch:
        """The windows `indices` (B,), int64 on the CPU, as one batch on the device."""
        chosen = indices.to(self.device)
        batch = self._vectors(chosen)
        history = self._history(chosen)[0]
        if self.streams_images:
            numbers = self._window_numbers[indices.numpy()]
            decoded = self._windows.batch(numbers)
            for key in self.image_keys:
                batch[key] = _channels_first(decoded[key]).to(self.device)
        else:
            for key, frames in self._images.items():
                batch[key] = frames[history]
        return batch

    def stream(self, order: Sequence[torch.Tensor], workers: int) -> Iterator[TensorBatch]:
        """The batches of `order` one after the other; `workers` processes decode images, if any."""
        if not (self.streams_images and workers):
            yield from (self.batch(indices) for indices in order)
            return
        loader: DataLoader[Any] = DataLoader(
            _Decoder(self._windows),
            sampler=[self._window_numbers[indices.numpy()].tolist() for indices in order],
            batch_size=None,
            num_workers=workers,
        )
        for indices, images in zip(order, loader, strict=True):
            batch = self._vectors(indices.to(self.device))
            batch |= {key: frames.to(self.device) for key, frames in images.items()}
            yield batch

    def _vectors(self, chosen: torch.Tensor) -> TensorBatch:
        history, observation_is_pad = self._history(chosen)
        future, action_is_pad = self._future(chosen)
        observed = self._table[history]
        batch: TensorBatch = {
            key: observed[..., begin:end].reshape(*history.shape, *shape)
            for key, (begin, end, shape) in self._slices.items()
        }
        batch["observation_is_pad"] = observation_is_pad
        batch["action"] = self._actions[future]
        batch["action_is_pad"] = action_is_pad | ~self._action_valid[future]
        return batch

    def _history(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows (B, T_o) of the observations, and whether they would precede the run of rows."""
        rows, first = self._row_tensor[chosen, None], self._first[chosen, None]
        wanted = rows + self._history_steps
        return torch.maximum(wanted, first), wanted < first

    def _future(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows (B, T_a) of the actions, and whether they lie outside the run of rows."""
        rows, first = self._row_tensor[chosen, None], self._first[chosen, None]
        last = self._last[chosen, None]
        wanted = rows + self._action_steps
        return torch.minimum(torch.maximum(wanted, first), last), (wanted < first) | (wanted > last)

    def _place_windows(self, dataset: Dataset, chosen: npt.NDArray[np.int64]) -> None:
        first, end = dataset.row_bounds()
        self.rows = chosen
        self._row_tensor = torch.from_numpy(chosen).to(self.device)
        self._first = torch.from_numpy(first[chosen]).to(self.device)
        self._last = torch.from_numpy(end[chosen] - 1).to(self.device)
        config, device = self.config, self.device
        self._history_steps = torch.arange(1 - config.observation_steps, 1, device=device)
        begin = -config.first_action_index
        self._action_steps = torch.arange(begin, begin + config.action_steps, device=device)

    def _place_columns(self, dataset: Dataset) -> None:
        valid = dataset.array("invalid") == 0
        self._slices: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        columns, begin = [], 0
        for key in self.keys:
            values = dataset.array(key).astype(np.float32, copy=False)
            _refuse_nan(dataset, key, values[valid])
            shape = values.shape[1:]
            flat = np.nan_to_num(values.reshape(len(values), -1))
            self._slices[key] = begin, begin + flat.shape[1], shape
            begin += flat.shape[1]
            columns.append(flat)
        table = np.concatenate(columns, axis=1) if columns else np.zeros((dataset.rows, 0))
        self._table = torch.from_numpy(table.astype(np.float32, copy=False)).to(self.device)
        actions = np.nan_to_num(dataset.array("actions"))
        self._actions = torch.from_numpy(actions).to(self.device)

    def _cached_images(self, dataset: Dataset) -> dict[str, torch.Tensor]:
        shapes = {key: dataset.column(key).shape for key in self.image_keys}
        total = sum(int(np.prod(shape)) for shape in shapes.values()) * dataset.rows
        if total > self.config.image_cache_mib * 2**20:
            return {}
        images = {
            key: np.empty((dataset.rows, shape[2], *shape[:2]), np.uint8)
            for key, shape in shapes.items()
        }
        starts = dataset.row_starts()
        for number, summary in enumerate(dataset.episodes if images else ()):
            episode = dataset.episode(summary.name)
            for key, frames in images.items():
                for row in range(summary.rows):
                    frames[starts[number] + row] = np.moveaxis(episode.frame(key, row), -1, 0)
        return {key: torch.from_numpy(frames).to(self.device) for key, frames in images.items()}


class _Decoder(TorchDataset[TensorBatch]):
    """Images of several windows, decoded in a worker process."""

    def __init__(self, windows: Windows) -> None:
        spec = replace(windows.spec, observation_keys=windows.image_keys)
        self._windows = Windows(windows.dataset, spec, windows.labels)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: Sequence[int]) -> TensorBatch:
        batch = self._windows.batch(index)
        return {key: _channels_first(batch[key]) for key in self._windows.image_keys}


def _channels_first(images: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, -3)))


def _subset(
    rows: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], per_episode: int, seed: int
) -> npt.NDArray[np.int64]:
    """At most `per_episode` random rows of each episode, in order; 0 for all."""
    if not per_episode:
        return rows
    rng = np.random.default_rng(seed)
    episodes = np.searchsorted(starts, rows, "right") - 1
    parts = []
    for episode in np.unique(episodes):
        own = rows[episodes == episode]
        parts.append(np.sort(rng.permutation(own)[:per_episode]))
    return np.concatenate(parts)


def _refuse_nan(dataset: Dataset, key: str, values: npt.NDArray[Any]) -> None:
    bad = int((~np.isfinite(values)).reshape(len(values), -1).any(axis=1).sum())
    if bad:
        raise DatasetError(
            f"{dataset.path}: '{key}' is NaN or infinite in {bad} of "
            f"{amount(len(values), 'valid row')}; leave it out (data.observation_keys) or repair "
            "the dataset"
        )
