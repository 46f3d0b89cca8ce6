"""Segments of recorded episodes."""

from __future__ import annotations

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
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
    observed = {
        column.path: int(np.prod(column.shape, dtype=np.int64))
        for column in dataset.info.columns
        if column.path.startswith("obs/") and not column.is_image
    }
    if not observed:
        raise DatasetError(f"{dataset.path}: holds no observation in numbers to learn a reward of")
    executed = _APPLIED if dataset.has_column(_APPLIED) else _LABEL
    episodes = [
        _played(dataset.episode(summary.name), list(observed), executed)
        for summary in dataset.episodes
    ]
    size = int(np.prod(dataset.column(executed).shape, dtype=np.int64))
    scene = Scene(dataset=str(dataset.path), rate_hz=dataset.info.rate_hz)
    return cut_segments(episodes, length, per_episode, Columns(observed, size), scene)


def _played(episode: Episode, keys: list[str], executed: str) -> Played:
    valid = np.asarray(episode.valid)
    end = len(valid) if valid.all() else int(np.argmin(valid))
    parts = [_flat(episode, key)[:end] for key in keys]
    has_rewards = any(column.path == _REWARDS for column in episode.info.columns)
    rewards: FloatArray = np.full(end, np.nan)
    if has_rewards:
        rewards = np.asarray(episode.column(_REWARDS), np.float64)[:end]
    return Played(
        np.concatenate(parts, axis=1),
        _flat(episode, executed)[:end],
        rewards,
        name=episode.path.name,
    )


def _flat(episode: Episode, key: str) -> Float32Array:
    values = np.asarray(episode.column(key), np.float32)
    return values.reshape(len(values), -1)
