"""Statistics of columns for normalisation, computed once and cached with the data's digest."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from robot_learning.core.files import write_atomically
from robot_learning.episodes.format.digests import combine
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import Column
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.index import EpisodeSummary

_log = logging.getLogger(__name__)
_VERSION = 1
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
_FIELDS = ("mean", "std", "minimum", "maximum", *_QUANTILES)
_IMAGE_FRAMES = 64


@dataclass(frozen=True)
class KeyStatistics:
    """Statistics of one column, each of the column's shape; of an image per channel, (3,).

    Image values are scaled to [0, 1], and come from evenly spaced frames rather than from all.
    `count` is the number of rows that went in. A NaN value (an absent source, say) is left out.
    """

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    minimum: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    q01: npt.NDArray[np.float64]
    q10: npt.NDArray[np.float64]
    q50: npt.NDArray[np.float64]
    q90: npt.NDArray[np.float64]
    q99: npt.NDArray[np.float64]
    count: int

    def to_plain(self) -> dict[str, Any]:
        """Lists and numbers, for JSON."""
        return {"count": self.count, **{name: getattr(self, name).tolist() for name in _FIELDS}}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> KeyStatistics:
        """Read what `to_plain` gave."""
        arrays = {name: np.asarray(plain[name], np.float64) for name in _FIELDS}
        return cls(count=int(plain["count"]), **arrays)


def statistics_of(values: npt.NDArray[Any]) -> KeyStatistics:
    """Statistics over the first axis of (rows, *shape).

    Raises:
        EpisodeError: there are no rows.
    """
    if not len(values):
        raise EpisodeError("there are no valid rows to take statistics of")
    data = values.astype(np.float64)
    with warnings.catch_warnings():
        # An element that is NaN in every row (an absent source) has NaN statistics.
        warnings.simplefilter("ignore", RuntimeWarning)
        quantiles = np.nanquantile(data, list(_QUANTILES.values()), axis=0)
        return KeyStatistics(
            mean=np.nanmean(data, axis=0),
            std=np.nanstd(data, axis=0),
            minimum=np.nanmin(data, axis=0),
            maximum=np.nanmax(data, axis=0),
            count=len(data),
            **dict(zip(_QUANTILES, quantiles, strict=True)),
        )


class Columns(Protocol):
    """The rows that statistics are taken of; see `dataset.Dataset`."""

    @property
    def path(self) -> Path:
        """The folder."""
        ...

    @property
    def digest(self) -> str:
        """Of what all chosen episodes recorded."""
        ...

    @property
    def episodes(self) -> Sequence[EpisodeSummary]:
        """The chosen episodes, in order."""
        ...

    def column(self, path: str) -> Column:
        """The description of a column."""
        ...

    def load(self, paths: Iterable[str]) -> None:
        """Read several columns into memory in one pass."""
        ...

    def array(self, path: str) -> npt.NDArray[Any]:
        """(rows, *shape) a low-dimensional column."""
        ...

    def action_columns(self) -> tuple[str, str]:
        """What `action_valid` reads."""
        ...

    def action_valid(self) -> npt.NDArray[np.bool_]:
        """(rows,) whether each row's label can be trained on."""
        ...

    def row_starts(self) -> npt.NDArray[np.int64]:
        """(episodes + 1,) where each episode begins."""
        ...

    def episode(self, name: str) -> Episode:
        """One episode, open."""
        ...


def cached_statistics(dataset: Columns, keys: Sequence[str]) -> dict[str, KeyStatistics]:
    """Per key the statistics of a dataset's valid rows, from the cache where it has them."""
    identity = combine({"version": str(_VERSION), "data": dataset.digest})
    path = dataset.path / ".cache" / f"statistics-{identity[:32]}.json"
    found: dict[str, KeyStatistics] = {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        found = {key: KeyStatistics.from_plain(value) for key, value in plain.items()}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        _log.warning("%s is not used: %s", path, problem)
    missing = [key for key in keys if key not in found]
    if missing:
        # All of them in one pass: a dataset has more files than are kept open, and each pass
        # opens and checks every one of them.
        dataset.load(_needed(dataset, missing))
        for key in missing:
            found[key] = _compute(dataset, key)
        plain = {key: statistics.to_plain() for key, statistics in found.items()}
        try:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, json.dumps(plain).encode())
        except OSError as problem:
            _log.warning("the statistics could not be cached: %s", problem)
    return {key: found[key] for key in keys}


def _needed(dataset: Columns, keys: Sequence[str]) -> list[str]:
    """The columns that the statistics of `keys` are made of, images apart."""
    needed = ["invalid", *(key for key in keys if not dataset.column(key).is_image)]
    return [*needed, *dataset.action_columns()] if "actions" in keys else needed


def _compute(dataset: Columns, key: str) -> KeyStatistics:
    valid = dataset.array("invalid") == 0
    if not dataset.column(key).is_image:
        if key == "actions":
            valid &= dataset.action_valid()
        return statistics_of(dataset.array(key)[valid])
    rows = np.flatnonzero(valid)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _IMAGE_FRAMES).astype(int))]
    starts = dataset.row_starts()
    pixels = []
    for row in chosen if len(rows) else []:
        episode = int(np.searchsorted(starts, row, "right")) - 1
        frame = dataset.episode(dataset.episodes[episode].name).frame(
            key, int(row - starts[episode])
        )
        scale = 255.0 if frame.dtype == np.uint8 else 1.0
        pixels.append(frame.reshape(-1, frame.shape[-1])[::16] / scale)
    return statistics_of(np.concatenate(pixels) if pixels else np.zeros((0, 3)))
