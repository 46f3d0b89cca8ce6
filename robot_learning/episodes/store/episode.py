"""Reading one saved episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.episodes.format.attributes import (
    get_integer,
    get_object,
    get_optional_text,
    get_text,
    get_value,
    json_object,
)
from robot_learning.episodes.format.digests import combine
from robot_learning.episodes.format.episode_file import KEPT
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.frames import FrameReader
from robot_learning.episodes.format.images import decode_jpeg
from robot_learning.episodes.format.origins import Origins, read_origins
from robot_learning.episodes.format.quality import timing_reasons
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.format.safe_open import open_checked
from robot_learning.episodes.format.schema import (
    DEMO_PATH,
    DatasetInfo,
    Encoding,
    EpisodeMetadata,
)
from robot_learning.episodes.store.columns import column_digests, find_columns
from robot_learning.episodes.store.index import EpisodeSummary
from robot_learning.episodes.store.summary import summarise

AS_RECORDED = "as recorded"
ASKED = "asked "
"""How the methods of label layers begin that an expert gave."""
_NOT_BY_HAND = (AS_RECORDED, ASKED, "scripted")
REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class LabelLayer:
    """One relabelling: `actions` (T, n) count where `mask` (T,) is True.

    One that was `removed` stays in the file and counts nowhere, until it is restored.
    """

    number: int
    author: str
    method: str
    created_utc: str
    mask: npt.NDArray[np.bool_]
    actions: FloatArray
    removed: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a person gave these labels, or nobody knows that it was none."""
        return not self.method.startswith(_NOT_BY_HAND)


class Episode:
    """One episode, open for reading. A context manager; `close` it otherwise.

    Opening checks that all columns are there and equally long. It is not for use across a
    fork or in two threads at once.
    """

    def __init__(self, path: Path) -> None:
        """Open and check.

        Raises:
            EpisodeError: missing, damaged, hostile, unfinished, or breaking an invariant.
            SchemaVersionError: a newer version wrote it.
        """
        self.path = path
        self._file = open_checked(path)
        self._frames = FrameReader(self._file)
        try:
            with reading(path):
                self.info = DatasetInfo.from_json(get_text(self._file, "dataset_info"), str(path))
                self._datasets = self._find_datasets()
                self.rows = self._checked_rows()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Episode:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._frames.close()
        self._file.close()

    @cached_property
    def metadata(self) -> EpisodeMetadata:
        """What was known when it started."""
        with reading(self.path):
            file, attributes = self._file, self._file.attrs
            seed = get_integer(file, "seed") if "seed" in attributes else None
            covariance = (
                get_value(file, "noise_covariance") if "noise_covariance" in attributes else None
            )
            return EpisodeMetadata(
                instruction=get_text(file, "instruction"),
                operator=get_text(file, "operator"),
                device=get_optional_text(file, "device"),
                round=get_integer(file, "round"),
                seed=seed,
                checkpoint_digest=get_text(file, "checkpoint_digest"),
                noise_covariance=None if covariance is None else np.asarray(covariance, float),
                started_utc=get_text(file, "started_utc"),
                software_version=get_text(file, "software_version"),
                notes=get_object(file, "notes"),
            )

    @property
    def outcome(self) -> str:
        """`success`, `failure` or `unknown`."""
        with reading(self.path):
            return get_text(self._file, "outcome")

    @property
    def digest(self) -> str:
        """The digest that was stored; `verify_digests` tells whether it still holds."""
        with reading(self.path):
            return get_text(self._file, "digest")

    @cached_property
    def recording_digest(self) -> str:
        """The digest of what was recorded, labels left out: relabelling does not change it."""
        with reading(self.path):
            stored = json_object(bytes(self._file["column_digests"][:]), "'column_digests'")
            return combine({path: value for path, value in stored.items() if path != "actions"})

    @cached_property
    def quality(self) -> Mapping[str, Any]:
        """The quality report."""
        with reading(self.path):
            return get_object(self._file, "quality")

    @cached_property
    def bad_timing(self) -> tuple[str, ...]:
        """What was bad about its timing, of the reasons of its verdict; empty when nothing was."""
        quality = self.quality
        try:
            return timing_reasons(quality) if quality["verdict"] == "bad" else ()
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
            raise EpisodeError(
                f"{self.path}: its quality report is damaged: {problem}"
            ) from problem

    @property
    def kept_by_hand(self) -> bool:
        """Whether somebody wants it among the labels although its timing was bad."""
        with reading(self.path):
            attributes = self._file.attrs
            return KEPT in attributes and bool(get_value(self._file, KEPT))

    @cached_property
    def origins(self) -> Origins | None:
        """Where its rows came from, if they are corrective labels; None if it was recorded."""
        with reading(self.path):
            return read_origins(self._file, self.rows)

    @cached_property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(T,) whether each row is valid."""
        return np.asarray(self.column("invalid") == 0)

    def column(self, path: str, start: int = 0, stop: int | None = None) -> Any:
        """Rows `start` to `stop` of an array column, `(rows, *shape)`, in the stored dtype.

        Besides the columns of the dataset: `tick_ns`, `invalid`, `dones`, `rewards`, and
        `streams/<name>/{stamp_ns,receive_ns,age_ns}`.

        Args:
            path: path of the column.
            start: first row.
            stop: row after the last one; None for the episode's end.

        Raises:
            EpisodeError: there is none, or it holds JPEG frames (read these with `frame`).
        """
        dataset = self._dataset(path)
        if h5py.check_vlen_dtype(dataset.dtype) is not None:
            raise EpisodeError(f"{self.path}: '{path}' holds JPEG frames; read them with frame()")
        with reading(self.path):
            return dataset[start:stop]

    def frame(self, path: str, row: int, out: UInt8Array | None = None) -> UInt8Array:
        """One decoded camera frame, (height, width, 3) uint8.

        A frame that was lost is black; its row is invalid.

        Args:
            path: path of the camera's column.
            row: number of the row.
            out: contiguous array that a JPEG frame is decoded into; None makes a new one.

        Raises:
            EpisodeError: the frame is damaged.
        """
        column = self.info.column(path)
        if column.encoding is not Encoding.JPEG:
            pixels: UInt8Array = self.column(path, row, row + 1)[0]
            return pixels
        return self.decode_frame(path, row, self.frame_bytes(path, row), out)

    def decode_frame(
        self, path: str, row: int, data: bytes, out: UInt8Array | None = None
    ) -> UInt8Array:
        """Decode what `frame_bytes` gave, as `frame` does. It reads no file: any thread may.

        Args:
            path: path of the camera's column.
            row: number of the row, for errors.
            data: bytes that `frame_bytes` gave; empty for a lost frame, which is black.
            out: contiguous array to decode into; None makes a new one.

        Raises:
            EpisodeError: the frame is damaged.
        """
        height, width, channels = self.info.column(path).shape
        if not len(data):
            pixels = np.zeros((height, width, channels), np.uint8) if out is None else out
            pixels[:] = 0
            return pixels
        try:
            return decode_jpeg(data, height, width, out)
        except EpisodeError as problem:
            raise EpisodeError(f"{self.path}: '{path}', row {row}: {problem}") from problem

    def frame_bytes(self, path: str, row: int) -> bytes:
        """The JPEG bytes of a frame, untouched; empty where the frame was lost."""
        with reading(self.path):
            return self._frames.read(self._dataset(path), row)

    def summary(self) -> EpisodeSummary:
        """Its entry in the index."""
        return self.named_summary(self.path.name)

    def stored_frame(self, path: str, row: int) -> bytes:
        """A camera frame exactly as it is stored: JPEG, raw pixels, or compressed depth."""
        if self.info.column(path).encoding is Encoding.JPEG:
            return self.frame_bytes(path, row)
        with reading(self.path):
            stored: bytes = self._dataset(path).id.read_direct_chunk((row, 0, 0, 0))[1]
            return stored

    def named_summary(self, name: str) -> EpisodeSummary:
        """Its entry in the index, if it were called `name`."""
        with reading(self.path):
            return summarise(self._file, name)

    def labels(self, *, removed: bool = False) -> list[LabelLayer]:
        """The relabel layers that count, oldest first; with `removed` those that do not, too."""
        with reading(self.path):
            if "labels" not in self._file:
                return []
            layers = self._file["labels"]
            if not isinstance(layers, h5py.Group):
                raise EpisodeError("'labels' is no group")
            found = [self._layer(layers[name], int(name)) for name in sorted(layers, key=int)]
            return [layer for layer in found if removed or not layer.removed]

    def verify_digests(self) -> list[str]:
        """The columns whose contents differ from what was recorded; empty when none do."""
        with reading(self.path):
            stored = json_object(bytes(self._file["column_digests"][:]), "'column_digests'")
            found = column_digests(self._file, self.info, self._frames)
            return sorted(p for p in {*stored, *found} if stored.get(p) != found.get(p))

    def _find_datasets(self) -> dict[str, h5py.Dataset]:
        found = find_columns(self._file, self.info, self.path)
        for path in ("rewards", "dones"):
            dataset = self._file.get(f"{DEMO_PATH}/{path}")
            if isinstance(dataset, h5py.Dataset):
                found[path] = dataset
        return found

    def _checked_rows(self) -> int:
        if not bool(get_value(self._file, "complete")):
            raise EpisodeError(f"{self.path}: the recording was not finished; repair it")
        rows = get_integer(self._file[DEMO_PATH], "num_samples")
        for path, dataset in self._datasets.items():
            if len(dataset) != rows:
                raise EpisodeError(
                    f"{self.path}: '{path}' has {amount(len(dataset), 'row')}, the episode {rows}"
                )
        return rows

    def _dataset(self, path: str) -> h5py.Dataset:
        try:
            return self._datasets[path]
        except KeyError:
            raise EpisodeError(
                f"{self.path}: no column '{path}'; there are {', '.join(sorted(self._datasets))}"
            ) from None

    def _layer(self, group: h5py.Group, number: int) -> LabelLayer:
        mask, actions = group["mask"][:], group["actions"][:]
        if mask.shape != (self.rows,) or len(actions) != self.rows:
            raise EpisodeError(f"{self.path}: label layer {number} has the wrong length")
        return LabelLayer(
            number=number,
            author=get_text(group, "author"),
            method=get_text(group, "method"),
            created_utc=get_text(group, "created_utc"),
            mask=mask.astype(bool),
            actions=actions,
            removed=REMOVED in group.attrs and bool(get_value(group, REMOVED)),
        )
