"""Labels for recorded rollouts from an expert: DAgger's labels for the states that were visited.

Ross, Gordon, Bagnell, "A Reduction of Imitation Learning and Structured Prediction to No-Regret
Online Learning", AISTATS 2011, https://arxiv.org/abs/1011.0686: D_i = {(s, π*(s))} for every
state s that the mixture of policy and expert visited. The states are those of a recording, so
experts can label them at any time afterwards, any number of them one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.row_choice import RowChoice
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.recording.recorded_rows import RecordedRows
from robot_learning.episodes.store.episode import ASKED, Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer, rows_by_hand
from robot_learning.learning.imitation.expert import (
    SCRIPTED,
    Expert,
    ExpertError,
    ExpertSource,
    begin_episode,
)
from robot_learning.sim.env import RobotEnv, resolve_robot
from robot_learning.sim.experts import EXPERTS, make_expert

Bounds = tuple[FloatArray, FloatArray]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """The result for one episode.

    Attributes:
        name: file name of the episode.
        layer: number of the new label layer; None where no row was to be labelled.
        rows: number of rows that were labelled.
        unseen: number of chosen rows without a complete observation, which keep their label.
        clipped: number of elements of the labels that lay outside the bounds.
        change: root mean square of the labels' change per element, rad or m.
        by_hand: number of chosen rows that a person has labelled and that keep that label.
        driven: number of labelled rows in which a person drove.
    """

    name: str
    layer: int | None
    rows: int
    unseen: int
    clipped: int = 0
    change: float = 0.0
    by_hand: int = 0
    driven: int = 0

    @property
    def had_chosen_rows(self) -> bool:
        """Whether any of its rows were asked for."""
        return bool(self.rows or self.unseen or self.by_hand)

    @property
    def summary(self) -> str:
        """The result in one line."""
        numbers = amount(self.clipped, "number")
        clipped = f", {numbers} clipped to the limits" if self.clipped else ""
        unseen = f", {self.unseen} without an observation left out" if self.unseen else ""
        hand = (
            f", {amount(self.by_hand, 'row')} left as a person has labelled them (--over-hand "
            "labels them, too)"
            if self.by_hand
            else ""
        )
        driven = f", {self.driven} of them where a person drove" if self.driven else ""
        layer = f"layer {self.layer}" if self.layer is not None else "no layer"
        changed = f", changed by {self.change:.4f} rad or m (rms)" if self.rows else ""
        return (
            f"{self.name.removesuffix('.hdf5')}: {layer}, {amount(self.rows, 'row')} labelled"
            f"{changed}{driven}{clipped}{unseen}{hand}"
        )


def dataset_expert(info: DatasetInfo, given: str = SCRIPTED) -> Expert:
    """The scripted expert of the dataset's task or of the task `given`, or a `module:callable`.

    Raises:
        ConfigurationError: there is no such expert; the text lists those there are.
        ExpertError: the expert cannot be made.
    """
    if given in EXPERTS:
        return make_expert(given, resolve_robot(info.robot))
    if given == SCRIPTED:
        if info.task not in EXPERTS:
            raise ConfigurationError(
                f"the dataset's task '{info.task}' has no scripted expert; name one with --expert: "
                f"{', '.join(EXPERTS)}, or module:callable"
            )
        return make_expert(info.task, resolve_robot(info.robot))
    try:
        env: Any = RobotEnv(info.robot, info.task, control_rate_hz=info.rate_hz)
    except ConfigurationError:
        env = None
    return ExpertSource(given).make(env)


def joint_limits(info: DatasetInfo) -> Bounds | None:
    """The lowest and highest positions (n,) of the dataset's robot; None if it is not known."""
    try:
        profile = resolve_robot(info.robot)
    except ConfigurationError:
        return None
    if profile.joint_names != tuple(info.joint_names):
        return None
    return profile.position_min, profile.position_max


def relabel_dataset(
    dataset: Dataset,
    names: Iterable[str],
    *,
    expert: str = SCRIPTED,
    author: str = "",
    choice: RowChoice | None = None,
    over_hand: bool = False,
    progress: Progress | None = None,
) -> Iterator[Relabelled]:
    """Have the expert of the dataset's task, or another one, label episodes; holds the lock.

    Args:
        dataset: dataset of the episodes.
        names: file names of the episodes.
        expert: name of a task whose scripted expert labels, or `module:callable`; `scripted` takes
            the dataset's own task.
        author: name of who labels; empty for the expert.
        choice: rows to label; None for all.
        over_hand: whether rows that a person has labelled are labelled as well.
        progress: callback with the number of rows of the episode that are done, and their total;
            None for none.

    Yields:
        The result for each episode, once it is on the disk.

    Raises:
        RobotLearningError: the expert cannot be made or fails, or an episode cannot be read or
            written; see `dataset_expert` and `relabel_by_expert`.
    """
    is_scripted = expert == SCRIPTED or expert in EXPERTS
    task = expert if expert in EXPERTS else dataset.info.task
    who = f"the scripted expert of {task}" if is_scripted else expert
    asked = dataset_expert(dataset.info, expert)
    folder = DatasetFolder(dataset.path)
    with folder.lock():
        yield from relabel_by_expert(
            folder,
            names,
            asked,
            author=author or who,
            method=f"{ASKED}{who}",
            choice=choice,
            bounds=joint_limits(dataset.info),
            images=not is_scripted,
            over_hand=over_hand,
            progress=progress,
        )


def relabel_by_expert(
    folder: DatasetFolder,
    names: Iterable[str],
    expert: Expert,
    *,
    author: str,
    method: str,
    choice: RowChoice | None = None,
    bounds: Bounds | None = None,
    images: bool = False,
    over_hand: bool = False,
    progress: Progress | None = None,
) -> Iterator[Relabelled]:
    """Ask an expert for the label of every visited state; adds a label layer to each episode.

    The caller holds the dataset's lock.

    Args:
        folder: folder of the dataset.
        names: file names of the episodes.
        expert: returns the action (n,) for an observation (the recorded `obs/` columns by name)
            and an info (`episode`, `row`, `tick_ns`). If it has `reset`, that is called with
            each episode's seed, so that it makes the choices of a demonstration with that seed.
        author: name of who labels, stored in the layer.
        method: how the labels are made, stored in the layer.
        choice: rows to label; None for all.
        bounds: (n,) lowest and (n,) highest action, to which labels are clipped; None for no
            bounds.
        images: whether the expert gets the cameras' frames too, by the cameras' names.
        over_hand: whether rows that a person has labelled are labelled as well; otherwise they
            keep that label.
        progress: callback with the number of rows of the episode that are done, and their total;
            None for none.

    Yields:
        The result for each episode, once it is on the disk.

    Raises:
        ExpertError: the expert raised an error or did not return an action; names episode and
            row. This episode is unchanged, the ones before have their layer.
        EpisodeError: an episode cannot be read or written.
    """
    for name in names:
        with Episode(folder.episodes_path / name) as episode:
            rows = RecordedRows(episode, images=images)
            chosen = (choice or RowChoice()).of(episode)
            by_hand = chosen & rows_by_hand(episode) & (not over_hand)
            chosen = chosen & ~by_hand
            wanted = chosen & rows.visible
            driven = wanted & _human_rows(episode)
            labels = _labels(rows, np.flatnonzero(wanted), expert, progress)
            before, digest = episode.column("actions"), episode.recording_digest
        clipped = labels if bounds is None else np.clip(labels, *bounds)
        layer = None
        if wanted.any():
            layer = add_label_layer(
                folder,
                name,
                clipped,
                wanted,
                author=author,
                method=method,
                created_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                digest=digest,
            )
        count = int(wanted.sum())
        change = (clipped - before)[wanted]
        yield Relabelled(
            name,
            layer,
            rows=count,
            unseen=int(chosen.sum()) - count,
            clipped=int((clipped != labels)[wanted].sum()),
            change=float(np.sqrt(np.nanmean(change**2))) if count else 0.0,
            by_hand=int(by_hand.sum()),
            driven=int(driven.sum()),
        )


def _human_rows(episode: Episode) -> npt.NDArray[np.bool_]:
    """(T,) whether a person was in control; False in an episode that does not record it."""
    path = "control/source"
    if path not in {column.path for column in episode.info.columns}:
        return np.zeros(episode.rows, bool)
    return np.asarray(episode.column(path) == Source.HUMAN)


def _labels(
    rows: RecordedRows,
    wanted: npt.NDArray[np.int64],
    expert: Expert,
    progress: Progress | None,
) -> FloatArray:
    """(T, n) actions of the expert in the rows `wanted`, NaN in the others."""
    episode = rows.episode
    shape = episode.info.column("actions").shape
    labels = np.full((len(rows), *shape), np.nan)
    begin_episode(expert, episode.metadata.seed or 0)
    ticks_ns = episode.column("tick_ns")
    for done, row in enumerate(wanted.tolist()):
        info = {"episode": episode.path.name, "row": row, "tick_ns": int(ticks_ns[row])}
        labels[row] = _asked(expert, rows.values(row), info, shape)
        if progress:
            progress(done + 1, len(wanted))
    return labels


def _asked(
    expert: Expert,
    observation: Mapping[str, Any],
    info: Mapping[str, Any],
    shape: tuple[int, ...],
) -> FloatArray:
    place = f"{info['episode']}, row {info['row']}: the expert"
    try:
        answer = np.asarray(expert(observation, info), np.float64)
    except RobotLearningError as problem:
        raise ExpertError(f"{place}: {problem}") from problem
    except Exception as problem:
        raise ExpertError(f"{place} raised {problem!r}") from problem
    if answer.shape != shape:
        raise ExpertError(f"{place} gave an action of shape {answer.shape}, expected {shape}")
    if not np.isfinite(answer).all():
        raise ExpertError(f"{place} gave an action that is not finite")
    return answer
