"""Recorded demonstrations as steps of dynamics, and labels for them as rows of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.origins import Origins
from robot_learning.episodes.format.schema import Column
from robot_learning.episodes.recording.standard import POSE_NAMES
from robot_learning.episodes.upkeep.corrective import CorrectiveRows
from robot_learning.learning.corrective.correction import Correction
from robot_learning.learning.corrective.transitions import Transitions

# What is measured nowhere the same, and follows from the rest of the state and the action.
_EFFORT = "obs/joint_effort"
_APPLIED, _NOISE = "control/applied", "control/noise"
_STATES, _STATES_OF = "states", ("obs/joint_position", "obs/joint_velocity")


@dataclass(frozen=True)
class RecordedSteps:
    """The steps of a dataset.

    Attributes:
        transitions: N steps between two valid rows of an episode, with an expert's label.
        keys: columns that make up the state, one after another.
        episode: (N,) number of the episode of each step, in the dataset's order.
        row: (N,) number of the row in that episode in which each step began.
    """

    transitions: Transitions
    keys: tuple[str, ...]
    episode: IntArray
    row: IntArray


def state_keys(dataset: Dataset, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns that make up the state: the given ones, or all numbers that are observed.

    Efforts are left out by default.

    Raises:
        DatasetError: the dataset has cameras, which no label can have a picture of, or observations
            in whole numbers; a column is not there or no column of numbers; or nothing is left.
    """
    observed = [column for column in dataset.info.columns if column.path.startswith("obs/")]
    images = [column.path for column in dataset.info.columns if column.is_image]
    numbers = [column.path for column in observed if not column.is_image and column.path != _EFFORT]
    whole = [
        column.path
        for column in observed
        if not column.is_image and not column.dtype.startswith("float")
    ]
    if images and not numbers:
        raise DatasetError(
            f"{dataset.path}: holds nothing but images ({', '.join(images)}); corrective labels "
            "need a state in numbers"
        )
    if images:
        raise DatasetError(
            f"{dataset.path}: has images ({', '.join(images)}), and nobody knows what they would "
            "show in a state that was computed; make corrective labels for a dataset without them"
        )
    if whole:
        raise DatasetError(
            f"{dataset.path}: {', '.join(whole)} holds whole numbers or flags, and there is "
            "no state beside one; make corrective labels for a dataset without such observations"
        )
    for key in given:
        if not dataset.column(key).path.startswith("obs/"):
            raise DatasetError(f"{dataset.path}: '{key}' is no observation (obs/…)")
    keys = tuple(dict.fromkeys(given)) or tuple(numbers)
    if not keys:
        raise DatasetError(f"{dataset.path}: holds no observation: there is no state to correct")
    return keys


def recorded_steps(dataset: Dataset, keys: Sequence[str]) -> RecordedSteps:
    """The steps of all episodes.

    Labels are wanted where an expert drove. Where a policy drove and its rows were relabelled
    afterwards, the expert's action is not the one that led to the next state: dynamics are learnt
    from these rows, and no labels are made for them.

    Args:
        dataset: dataset with the chosen episodes.
        keys: columns that make up the state.

    Raises:
        ConfigurationError: there are too few steps.
        DatasetError: a column of the state is NaN or infinite, the text says which; or an expert
            drove in no row.
        EpisodeError: an episode cannot be read.
    """
    executed = _APPLIED if dataset.has_column(_APPLIED) else "actions"
    action = _column(dataset, executed)
    starts = dataset.row_starts()
    usable = (dataset.array("invalid") == 0) & dataset.action_valid() & dataset.expert_rows()
    usable &= np.isfinite(action).all(axis=1)
    state = _state(dataset, keys, usable)
    follows = usable.copy()
    follows[:-1] &= usable[1:]
    follows[starts[1:] - 1] = False
    rows = np.flatnonzero(follows)
    wanted = _demonstrated(dataset)[rows]
    if len(rows) and not wanted.any():
        raise DatasetError(
            f"{dataset.path}: all labels were given afterwards; corrective labels are made for "
            "rows in which an expert drove"
        )
    episode = np.searchsorted(starts, rows, "right") - 1
    noise = np.nan_to_num(_column(dataset, _NOISE)[rows]) if dataset.has_column(_NOISE) else None
    transitions = Transitions.of(
        state[rows],
        action[rows],
        state[rows + 1],
        label=_column(dataset, "actions")[rows],
        noise=noise,
        episode=episode,
        wanted=wanted,
    )
    return RecordedSteps(transitions, tuple(keys), episode, rows - starts[episode])


def rows_of(
    dataset: Dataset, steps: RecordedSteps, found: Correction
) -> Iterator[tuple[int, CorrectiveRows]]:
    """The labels as rows, with the number of the episode that they belong to.

    Args:
        dataset: dataset of the steps.
        steps: steps that the labels were made for.
        found: labels.
    """
    labels = found.labels
    episode = steps.episode[labels.row]
    for number in np.unique(episode).tolist():
        own = np.flatnonzero(episode == number)
        recorded = dataset.episode(dataset.episodes[number].name)
        origins = Origins(
            episode=recorded.path.name,
            digest=recorded.recording_digest,
            row=steps.row[labels.row[own]],
            kind=labels.kind[own].astype(np.uint8),
            error_bound=found.bound[own],
        )
        observed = _columns(dataset, steps.keys, labels.state[own])
        yield number, CorrectiveRows(observed, labels.label[own], labels.action[own], origins)


def _demonstrated(dataset: Dataset) -> BoolArray:
    """(rows,) where an expert drove and no label was given afterwards."""
    if not dataset.has_column("control/source"):
        found: BoolArray = np.ones(dataset.rows, np.bool_)
    else:
        found = dataset.source_rows(["human"])
    for summary, start in zip(dataset.episodes, dataset.row_starts(), strict=False):
        for layer in dataset.episode(summary.name).labels():
            found[start : start + summary.rows] &= ~layer.mask
    return found


def _column(dataset: Dataset, path: str) -> FloatArray:
    """(rows, *shape) a column as it is stored, where `Dataset.array` would round it."""
    columns = [dataset.episode(summary.name).column(path) for summary in dataset.episodes]
    return np.concatenate(columns).astype(np.float64)


def _state(dataset: Dataset, keys: Sequence[str], usable: np.ndarray) -> FloatArray:
    columns = []
    for key in keys:
        values = _column(dataset, key)
        flat = values.reshape(len(values), -1)
        bad = int((~np.isfinite(flat[usable])).any(axis=1).sum())
        if bad:
            raise DatasetError(
                f"{dataset.path}: '{key}' is NaN or infinite in {bad} of "
                f"{amount(int(usable.sum()), 'usable row')}; name the other columns of the state "
                "with --state"
            )
        columns.append(flat)
    return np.concatenate(columns, axis=1)


def _columns(dataset: Dataset, keys: Sequence[str], state: FloatArray) -> dict[str, FloatArray]:
    """The columns of (T, D) states, and the column `states` where it repeats them."""
    found, begin = {}, 0
    for key in keys:
        column = dataset.column(key)
        width = int(np.prod(column.shape, dtype=np.int64))
        values = state[:, begin : begin + width].reshape(-1, *column.shape)
        found[key] = _unit_quaternion(values) if _is_pose(column) else values
        begin += width
    if dataset.has_column(_STATES) and all(key in found for key in _STATES_OF):
        repeated = np.concatenate([found[key] for key in _STATES_OF], axis=1)
        if repeated.shape[1:] == dataset.column(_STATES).shape:
            found[_STATES] = repeated
    return found


def _is_pose(column: Column) -> bool:
    return column.shape == (7,) and column.names == POSE_NAMES


def _unit_quaternion(poses: FloatArray) -> FloatArray:
    """Poses (T, 7) with quaternions of length 1, which a sum of vectors does not keep."""
    length = np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
    return np.concatenate([poses[:, :3], poses[:, 3:] / np.maximum(length, 1e-9)], axis=1)
