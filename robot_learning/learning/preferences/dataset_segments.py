"""Segments of recorded episodes."""

from __future__ import annotations

import math

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.schema import Column
from robot_learning.episodes.store.episode import Episode
from robot_learning.learning.preferences.columns import Columns, Float32Array
from robot_learning.learning.preferences.segments import Played, Scene, Segments, cut_segments

_APPLIED, _LABEL, _REWARDS = "control/applied", "actions", "rewards"


def dataset_segments(dataset: Dataset, length: int, per_episode: int) -> Segments:
    """Cut the episodes of a dataset into segments, each up to its first invalid row.

    Observations are all columns `obs/…` of numbers, actions those that were applied.

    Args:
        dataset: dataset with the chosen episodes.
        length: number of rows of a segment.
        per_episode: largest number of segments of an episode.

    Raises:
        DatasetError: it observes nothing in numbers.
        EpisodeError: an episode cannot be read.
        ConfigurationError: its episodes are shorter than a segment, or a number is not finite.
    """
    columns = dataset_columns(dataset)
    episodes = [
        _played(dataset.episode(summary.name), columns, _executed(dataset))
        for summary in dataset.episodes
    ]
    scene = Scene(dataset=str(dataset.path), rate_hz=dataset.info.rate_hz)
    return cut_segments(episodes, length, per_episode, columns, scene)


def dataset_columns(dataset: Dataset) -> Columns:
    """What a row of a dataset consists of, as segments know it.

    Raises:
        DatasetError: it observes nothing in numbers.
    """
    observed = {
        column.path: _size(column)
        for column in dataset.info.columns
        if column.path.startswith("obs/") and not column.is_image
    }
    if not observed:
        raise DatasetError(f"{dataset.path}: holds no observation in numbers to learn a reward of")
    return Columns(observed, _size(dataset.column(_executed(dataset))))


def observed_rows(episode: Episode, columns: Columns, rows: slice) -> Float32Array:
    """(L, D) observations of some rows of an episode.

    Raises:
        EpisodeError: the episode cannot be read.
    """
    parts = [_flat(episode, key)[rows] for key in columns.observed]
    return np.concatenate(parts, axis=1)


def _executed(dataset: Dataset) -> str:
    return _APPLIED if dataset.has_column(_APPLIED) else _LABEL


def _size(column: Column) -> int:
    return math.prod(column.shape)


def _played(episode: Episode, columns: Columns, executed: str) -> Played:
    valid = np.asarray(episode.valid)
    end = len(valid) if valid.all() else int(np.argmin(valid))
    has_rewards = any(column.path == _REWARDS for column in episode.info.columns)
    rewards: FloatArray = np.full(end, np.nan)
    if has_rewards:
        rewards = np.asarray(episode.column(_REWARDS), np.float64)[:end]
    return Played(
        observed_rows(episode, columns, slice(end)),
        _flat(episode, executed)[:end],
        rewards,
        name=episode.path.name,
    )


def _flat(episode: Episode, key: str) -> Float32Array:
    values = np.asarray(episode.column(key), np.float32)
    return values.reshape(len(values), -1)
