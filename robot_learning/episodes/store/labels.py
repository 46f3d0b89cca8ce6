"""Which action is a row's label, and adding label layers to a saved episode.

The rule: the label of a row is the clean action of the source in control, before noise and
before limits. While the human drives it is `human`, while the policy drives it is `policy`;
with neither there is no expert, and the label is `applied`, the action that held the
robot. A label layer overrides this where its mask is set; of several the newest counts. One that
was removed does not; it stays in the file, so that it can be restored. The column `actions` always
holds the result, so that every reader of the file trains on it, and `control/` keeps what happened,
so that it can be worked out again.

An imported demonstration has no `control/`: its `actions` are all that was recorded. Before
the first layer changes them they are kept as a layer of their own, number 0, `as recorded`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.core.files import replacing
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.episode_file import write_digests
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.schema import physical_path
from robot_learning.episodes.store.columns import column_digests
from robot_learning.episodes.store.episode import AS_RECORDED, REMOVED, Episode, LabelLayer
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.index import EpisodeSummary, read_index, read_splits, write_index
from robot_learning.episodes.store.summary import summarise

# More than the attributes, tables and digests that come with a change.
_GROWTH_BYTES = 2**17


def clean_action(
    source: int, human: FloatArray, policy: FloatArray, applied: FloatArray
) -> FloatArray:
    """The label of one row, (n,), before any relabelling.

    Args:
        source: a value of `Source`: who was in control.
        human: (n,) the human's clean action, rad or m.
        policy: (n,) the policy's clean action, rad or m.
        applied: (n,) the command in force, rad or m.
    """
    if source == Source.HUMAN:
        return human
    return policy if source == Source.POLICY else applied


def resolve_actions(
    sources: npt.NDArray[np.uint8],
    human: FloatArray,
    policy: FloatArray,
    applied: FloatArray,
    layers: Sequence[LabelLayer] = (),
) -> FloatArray:
    """The labels of an episode, (T, n), by the rule of this module.

    Args:
        sources: (T,) values of `Source`.
        human: (T, n) the human's clean actions.
        policy: (T, n) the policy's clean actions.
        applied: (T, n) the commands in force.
        layers: label layers, oldest first; removed ones do not count.
    """
    by_source = [sources == Source.HUMAN, sources == Source.POLICY]
    choices = [human, policy]
    actions = np.select([chosen[:, None] for chosen in by_source], choices, applied)
    for layer in layers:
        if not layer.removed:
            actions[layer.mask] = layer.actions[layer.mask]
    return actions


def add_label_layer(
    folder: DatasetFolder,
    name: str,
    actions: FloatArray,
    mask: npt.NDArray[np.bool_],
    *,
    author: str,
    method: str,
    created_utc: str,
    digest: str | None = None,
) -> int:
    """Add a layer to the episode `name` and resolve its `actions` again. Hold the lock.

    Written to a new file and swapped in: a reader sees the old episode or the new one, never a mix.

    Args:
        folder: the dataset.
        name: file name of the episode.
        actions: (T, n) labels, rad or m; finite wherever `mask` is True, and ignored elsewhere.
        mask: (T,) rows that are relabelled.
        author: name of the person or program that relabelled.
        method: way in which the labels were made, in words.
        created_utc: time of the relabelling in ISO 8601.
        digest: `Episode.recording_digest` of the episode that the labels were made for; give
            it wherever time passes in between, since an episode's name may be used again.

    Returns:
        The number of the layer.

    Raises:
        EpisodeError: made for another episode, wrong shapes or types, NaN, or the episode cannot
            be read. Nothing is written then.
        FileAccessError: the disk is full, say; the episode is as it was.
    """
    path = folder.episodes_path / name
    with Episode(path) as episode:
        if digest is not None and digest != episode.recording_digest:
            raise EpisodeError(f"{path}: the labels were made for another episode than this")
        width = episode.info.column("actions").shape
        _check_layer(path, actions, mask, (episode.rows, *width))
        layers = episode.labels(removed=True)
        added = [] if layers or _knows_sources(episode) else [_as_recorded(episode)]
        number = layers[-1].number + 1 if layers else len(added)
        added.append(LabelLayer(number, author, method, created_utc, mask, actions))
        resolved = _resolve(episode, [*layers, *added])
        info = episode.info

    def edit(file: h5py.File) -> None:
        for layer in added:
            write_layer(file, layer)
        file[physical_path("actions")][:] = resolved
        write_digests(file, column_digests(file, info))

    growth_bytes = sum(layer.actions.nbytes + layer.mask.nbytes for layer in added)
    rewrite_episode(folder, name, edit, growth_bytes)
    return number


def set_removed(folder: DatasetFolder, name: str, number: int, removed: bool) -> LabelLayer:
    """Take a layer out of the labels of the episode `name`, or back in. Hold the lock.

    `actions` is resolved again; nothing is lost.

    Args:
        folder: the dataset.
        name: file name of the episode.
        number: number of the layer.
        removed: whether the layer is taken out; False brings it back.

    Returns:
        The layer, as it stands now.

    Raises:
        EpisodeError: there is no such layer, it is what was recorded, or the episode cannot be
            read. Nothing is written then.
        FileAccessError: the disk is full, say; the episode is as it was.
    """
    path = folder.episodes_path / name
    with Episode(path) as episode:
        layers = {layer.number: layer for layer in episode.labels(removed=True)}
        if number not in layers:
            known = ", ".join(map(str, layers)) or "none"
            raise EpisodeError(f"{path}: there is no label layer {number}; there are: {known}")
        if layers[number].method == AS_RECORDED:
            raise EpisodeError(f"{path}: label layer {number} is what was recorded; it stays")
        changed = layers[number] = replace(layers[number], removed=removed)
        resolved = _resolve(episode, list(layers.values()))
        info = episode.info

    def edit(file: h5py.File) -> None:
        file[f"labels/{number}"].attrs[REMOVED] = removed
        file[physical_path("actions")][:] = resolved
        write_digests(file, column_digests(file, info))

    rewrite_episode(folder, name, edit)
    return changed


def rows_by_hand(episode: Episode) -> npt.NDArray[np.bool_]:
    """(T,) the rows that a person has labelled, in layers that count."""
    rows = np.zeros(episode.rows, bool)
    for layer in episode.labels():
        if layer.by_hand:
            rows |= layer.mask
    return rows


def write_layer(file: h5py.File, layer: LabelLayer) -> None:
    """Store a layer in an episode's file."""
    group = file.create_group(f"labels/{layer.number}")
    for key in ("author", "method", "created_utc"):
        set_text(group, key, getattr(layer, key))
    if layer.removed:
        group.attrs[REMOVED] = True
    group["mask"], group["actions"] = layer.mask, layer.actions


def rewrite_episode(
    folder: DatasetFolder, name: str, edit: Callable[[h5py.File], None], growth_bytes: int = 0
) -> EpisodeSummary:
    """Change a saved episode in a copy, swap it in, and update the index. Hold the lock.

    Args:
        folder: the dataset.
        name: the episode's file name.
        edit: changes the copy.
        growth_bytes: size of the arrays that the change adds.

    Raises:
        FileAccessError: the disk is full, say; the episode is as it was.
        EpisodeError: the episode cannot be read.
    """
    path = folder.episodes_path / name
    try:
        with replacing(path) as beside:
            shutil.copyfile(path, beside)
            _reserve(beside, growth_bytes + _GROWTH_BYTES)
            with reading(path), h5py.File(beside, "r+") as file:
                edit(file)
                summary = summarise(file, name)
    except OSError as problem:
        raise FileAccessError(f"{path}: not changed: {problem.strerror or problem}") from problem
    write_index(folder, {**read_index(folder), name: summary}.values(), read_splits(folder))
    return summary


def _reserve(path: Path, growth_bytes: int) -> None:
    """Take the disk space for what a file will grow by; HDF5 gives back what it does not need.

    A disk that fills up while HDF5 writes leaves the whole process broken.
    """
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size + growth_bytes)


def _knows_sources(episode: Episode) -> bool:
    paths = {column.path for column in episode.info.columns}
    return {"control/source", "control/human", "control/policy", "control/applied"} <= paths


def _as_recorded(episode: Episode) -> LabelLayer:
    actions: FloatArray = episode.column("actions")
    mask = np.asarray(np.isfinite(actions).all(axis=1))
    return LabelLayer(0, "", AS_RECORDED, episode.metadata.started_utc, mask, actions)


def _resolve(episode: Episode, layers: Sequence[LabelLayer]) -> FloatArray:
    if _knows_sources(episode):
        sources, human, policy, applied = (
            episode.column(f"control/{column}")
            for column in ("source", "human", "policy", "applied")
        )
        return resolve_actions(sources, human, policy, applied, layers)
    actions: FloatArray = episode.column("actions")
    for layer in layers:
        if not layer.removed:
            actions[layer.mask] = layer.actions[layer.mask]
    return actions


def _check_layer(
    path: Path, actions: FloatArray, mask: npt.NDArray[np.bool_], shape: tuple[int, ...]
) -> None:
    if actions.shape != shape or mask.shape != shape[:1] or mask.dtype != np.bool_:
        raise EpisodeError(
            f"{path}: the labels have the shape {actions.shape} and a mask of {mask.dtype} "
            f"{mask.shape}; expected {shape} and bool {shape[:1]}"
        )
    if actions.dtype.kind != "f":
        raise EpisodeError(f"{path}: the labels are {actions.dtype}, expected floating point")
    if not np.isfinite(actions[mask]).all():
        raise EpisodeError(f"{path}: a label is NaN or infinite")
