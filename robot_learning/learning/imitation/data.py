"""The collected data: episodes of rows, and the files in which they are saved.

A row is a visited state. Its label is the expert's clean action there, if the expert was asked; its
action is what was executed, noise included. `labelled` says which labels count, in training and in
the label budget: with DAgger all that were asked for, in a gated run those of the rows that the
expert drove, and a random subset where one is requested.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from robot_learning.core.files import write_atomically
from robot_learning.core.types import BoolArray
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.training.errors import RunError, TrainingError

_ROWS = ("observation", "label", "action", "labelled", "expert_drove", "disagreement")
_HEADERS = "headers"
# Names of arrays in files of earlier releases.
_FORMER_NAMES = {"disagreement": "doubt", _HEADERS: "facts"}


@dataclass(frozen=True)
class EpisodeHeader:
    """What is known of an episode as a whole.

    Attributes:
        number: number of the episode in the run, which seeds all draws in the episode.
        round: number of the round in which it was collected.
        held_out: whether it is never trained on.
        reward: sum of the rewards.
        success: whether the episode succeeded; None where the environment does not say.
        terminated: whether the environment terminated it; False if truncated or cut off.
        cut_off: whether it ended because the budget of labels was spent.
        clipped: number of elements of the expert's actions that lay outside the action space.
        numbers: number of elements of the expert's actions in all.
        noise: (n, n) covariance of the noise on the expert's actions, as lists; empty for none.
        asked_novelty, asked_risk: number of times the policy asked for help, by reason.
    """

    number: int
    round: int
    held_out: bool = False
    reward: float = 0.0
    success: bool | None = None
    terminated: bool = False
    cut_off: bool = False
    clipped: int = 0
    numbers: int = 0
    noise: Sequence[Sequence[float]] = ()
    asked_novelty: int = 0
    asked_risk: int = 0


@dataclass(frozen=True)
class Episode:
    """T rows and what is known of them.

    Attributes:
        header: what is known of the episode as a whole.
        observation: (T, D) observations.
        label: (T, n) actions of the expert, NaN where it was not asked.
        action: (T, n) executed actions.
        labelled: (T,) whether a row's label counts.
        expert_drove: (T,) whether the expert drove in a row.
        disagreement: (T,) disagreement of the ensemble, NaN without one.
    """

    header: EpisodeHeader
    observation: Float32Array
    label: Float32Array
    action: Float32Array
    labelled: BoolArray
    expert_drove: BoolArray
    disagreement: Float32Array

    @property
    def rows(self) -> int:
        """Number of rows T."""
        return len(self.observation)


class EpisodeFiles:
    """The episodes of a run in `episodes/<first number>.npz`, files that are written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "episodes"

    def save(self, episodes: Sequence[Episode]) -> None:
        """Write episodes into a file of their own.

        Raises:
            TrainingError: the file cannot be written; what was saved before stays.
        """
        if not episodes:
            return
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(e, name) for e in episodes]) for name in _ROWS
        }
        headers = json.dumps([{**asdict(e.header), "rows": e.rows} for e in episodes])
        data = io.BytesIO()
        arrays[_HEADERS] = np.frombuffer(headers.encode(), np.uint8)
        np.savez(data, **arrays)
        path = self.folder / f"{episodes[0].header.number:06d}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data.getvalue())
        except OSError as problem:
            raise TrainingError(f"{path}: cannot be written: {problem}") from problem

    def load(self, rounds: int) -> list[Episode]:
        """The saved episodes of the first `rounds` rounds, in order.

        A file with later rounds was written just before a kill, and is removed.

        Raises:
            RunError: a file is damaged, or one is missing between others.
        """
        found: list[Episode] = []
        for path in sorted(self.folder.glob("*.npz")):
            episodes = _read(path)
            if episodes[-1].header.round >= rounds:
                path.unlink()
                continue
            found += episodes
            numbers = [episode.header.number for episode in found]
            if numbers != list(range(len(found))):
                raise RunError(f"{self.folder}: episodes before {path.name} are missing")
        return found


def _read(path: Path) -> list[Episode]:
    try:
        with np.load(path) as file:
            is_former = _HEADERS not in file
            names = {
                name: _FORMER_NAMES.get(name, name) if is_former else name
                for name in (*_ROWS, _HEADERS)
            }
            arrays = {name: file[names[name]] for name in _ROWS}
            headers: list[dict[str, Any]] = json.loads(file[names[_HEADERS]].tobytes())
        ends = np.cumsum([item.pop("rows") for item in headers])
        if {len(array) for array in arrays.values()} != {int(ends[-1])}:
            raise ValueError("its columns differ in length")
        parts = {name: np.split(array, ends[:-1]) for name, array in arrays.items()}
        return [
            Episode(EpisodeHeader(**item), **{name: parts[name][k] for name in _ROWS})
            for k, item in enumerate(headers)
        ]
    except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile) as problem:
        raise RunError(f"{path}: damaged: {problem}") from problem


@dataclass(frozen=True)
class Rows:
    """The rows of several episodes, one after another; see `Episode` for the columns.

    Attributes:
        round: (N,) number of the round in which a row was collected.
        first: (N,) whether an episode begins with a row.
        begin, end: (N,) first row of a row's episode, and the row after its last.
        headers: (E,) what is known of each episode; empty for rows that were made up.
    """

    observation: Float32Array
    label: Float32Array
    action: Float32Array
    labelled: BoolArray
    expert_drove: BoolArray
    disagreement: Float32Array
    round: npt.NDArray[np.int64]
    first: BoolArray
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    headers: Sequence[EpisodeHeader] = ()

    @classmethod
    def of(cls, episodes: Iterable[Episode]) -> Rows | None:
        """The rows of episodes; None without any."""
        kept = [episode for episode in episodes if episode.rows]
        if not kept:
            return None
        columns = {name: np.concatenate([getattr(e, name) for e in kept]) for name in _ROWS}
        return cls.joined([episode.header for episode in kept], [e.rows for e in kept], **columns)

    @classmethod
    def joined(
        cls,
        headers: Sequence[EpisodeHeader],
        lengths: Sequence[int] | npt.NDArray[np.int64],
        **columns: npt.NDArray[Any],
    ) -> Rows:
        """The rows whose columns are one array each for all episodes.

        Args:
            headers: (E,) what is known of each episode.
            lengths: (E,) number of rows of each episode, at least 1.
            columns: (N, …) columns that episodes have too, by name.
        """
        ends = np.cumsum(lengths)
        begins = ends - lengths
        first = np.zeros(int(ends[-1]), np.bool_)
        first[begins] = True
        return cls(
            **columns,
            round=np.repeat(np.array([each.round for each in headers]), lengths),
            first=first,
            begin=np.repeat(begins, lengths),
            end=np.repeat(ends, lengths),
            headers=headers,
        )

    @property
    def episode(self) -> npt.NDArray[np.int64]:
        """(N,) number of a row's episode among these, from 0."""
        return np.cumsum(self.first) - 1

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.observation)


def label_count(episodes: Iterable[Episode]) -> int:
    """Number of labels that count, held-out ones included."""
    return sum(int(np.count_nonzero(episode.labelled)) for episode in episodes)
