"""What a dataset records: its streams, their columns, and where each column lies in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Annotated, Any, Literal, get_args

import numpy as np
from msgspec import Struct, structs

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import UNIQUE, Text, decode
from robot_learning.core.draft import draft
from robot_learning.core.options.numbers import AtLeast1, Positive
from robot_learning.core.types import FloatArray
from robot_learning.episodes.format.errors import DatasetError, SchemaVersionError

SCHEMA_VERSION = 1
DEMO_PATH = "data/demo_0"
_TRAINING_ROOTS = ("obs", "actions", "rewards", "states")
_COLUMN_PATH = re.compile(r"[a-z][a-z0-9_]*(/[A-Za-z][A-Za-z0-9_.\-]*)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
_DTYPE = Literal["bool", "uint8", "int8", "uint16", "int32", "int64", "float32", "float64"]
_DTYPES = get_args(_DTYPE)
_COLUMN_ROOTS = (*_TRAINING_ROOTS, "control", "intervention", "images", "task")
Names = Annotated[tuple[str, ...], UNIQUE]
MAX_ROW_BYTES = 256 * 2**20
MAX_STREAMS = 64


class Encoding(Enum):
    """How the values of a column are stored.

    ARRAY: as they are. JPEG: one JPEG image of variable length a row, `shape` being (height,
    width, 3). DEPTH: uint16 (height, width, 1), compressed without loss, which HDF5 readers
    undo by themselves.
    """

    ARRAY = "array"
    JPEG = "jpeg"
    DEPTH = "depth"


class RowFault(IntFlag):
    """Why a row is invalid: the bits of the column `invalid`; 0 is a valid row."""

    STALE = 1  # a stream's newest sample was older than its bound
    MISSING = 2  # a stream had no sample yet
    FRAME_LOST = 4  # an image could not be kept: the disk or the encoders fell behind
    FRAME_BAD = 8  # an image could not be encoded


@dataclass(frozen=True, slots=True)
class Column:
    """One array a row.

    Attributes:
        path: where the column is: `obs/<key>`, `actions`, `rewards`, `states`, `control/<name>`,
            `intervention`, `images/<camera>` or `task/<name>`.
        shape: shape of one row; () is a number.
        dtype: NumPy name of the type.
        encoding: how the column is stored.
        unit: unit, as free text.
        names: name of each element; empty for elements without names.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str = "float64"
    encoding: Encoding = Encoding.ARRAY
    unit: str = ""
    names: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, uncompressed."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def is_image(self) -> bool:
        """Whether this column holds camera frames, in whatever encoding."""
        return self.encoding is not Encoding.ARRAY or (
            len(self.shape) == 3 and self.dtype == "uint8"
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """One source of samples with stamps of its own; a sample has a value for each column.

    `rate_hz` is nominal; a sample older than `max_age_s` at a row makes that row invalid.
    """

    name: str
    rate_hz: float
    max_age_s: float
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class DatasetInfo:
    """What all episodes of a dataset have in common: the contents of `dataset.json`.

    `env_args` says how readers such as robomimic make the environment: `env_name`, `type`
    (1 robosuite, 2 gym) and `env_kwargs`.
    """

    robot: str
    task: str
    rate_hz: float
    streams: tuple[Stream, ...]
    joint_names: tuple[str, ...] = ()
    env_args: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of all streams."""
        return tuple(column for stream in self.streams for column in stream.columns)

    def column(self, path: str) -> Column:
        """The column at `path`.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.path == path:
                return column
        raise KeyError(path)

    @property
    def cameras(self) -> dict[str, Column]:
        """Camera -> the column of its images: its stream bears its name and holds nothing else."""
        return {
            stream.name: column
            for stream in self.streams
            for column in stream.columns
            if column.path in (f"images/{stream.name}", f"obs/{stream.name}")
        }

    @property
    def is_lossless(self) -> bool:
        """Whether images are stored uncompressed."""
        return any(column.path.startswith("obs/") for column in self.cameras.values())

    def full_env_args(self) -> dict[str, Any]:
        """`env_args` with the three keys that robomimic needs."""
        return {"env_name": self.task, "type": 2, "env_kwargs": {}, **self.env_args}

    def to_json(self) -> str:
        """The text of `dataset.json`."""
        streams = [
            {
                "name": stream.name,
                "rate_hz": stream.rate_hz,
                "max_age_s": stream.max_age_s,
                "columns": [_column_to_plain(column) for column in stream.columns],
            }
            for stream in self.streams
        ]
        plain = {
            "schema_version": self.schema_version,
            "robot": self.robot,
            "task": self.task,
            "rate_hz": self.rate_hz,
            "joint_names": list(self.joint_names),
            "env_args": json.dumps(dict(self.env_args)),
            "streams": streams,
        }
        return json.dumps(plain, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> DatasetInfo:
        """Read the text of a `dataset.json`; `source` names it in errors.

        Raises:
            SchemaVersionError: it was written by a newer version.
            DatasetError: it is not valid; the text names the key.
        """
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise DatasetError(f"{source}: not valid JSON: {problem}") from problem
        read = draft(plain, _Description)
        # First, since a newer version may have other keys.
        check_schema_version(read.value.schema_version, source)
        for mistake in read.mistakes:
            raise DatasetError(f"{source}: {mistake}")
        file = read.value
        info = cls(
            robot=file.robot,
            task=file.task,
            rate_hz=file.rate_hz,
            joint_names=file.joint_names,
            env_args=_env_args(file.env_args, source),
            streams=tuple(_stream(entry) for entry in file.streams),
        )
        check_info(info, source)
        return info


def check_schema_version(version: int, source: str) -> None:
    """Refuse data of a newer layout.

    Raises:
        SchemaVersionError: names both versions.
    """
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"{source}: written with schema version {version}; this version of robot_learning "
            f"reads up to {SCHEMA_VERSION}. Upgrade robot_learning to read it"
        )


def check_info(info: DatasetInfo, source: str) -> None:
    """Check the invariants of a description of a dataset.

    Raises:
        DatasetError: a bad, repeated or conflicting name, shape or type.
    """
    names = [stream.name for stream in info.streams]
    paths = [column.path for column in info.columns]
    for kind, found in (("stream", names), ("column", paths)):
        for name in found:
            if found.count(name) > 1:
                raise DatasetError(f"{source}: duplicate {kind} '{name}'")
    if len(names) > MAX_STREAMS:
        raise DatasetError(f"{source}: {amount(len(names), 'stream')}; at most {MAX_STREAMS} fit")
    if "actions" not in paths:
        raise DatasetError(f"{source}: no stream has the column 'actions'")
    for name in names:
        if not _NAME.fullmatch(name):
            raise DatasetError(f"{source}: bad stream name '{name}'")
    for column in info.columns:
        _check_column(column, source)


def physical_path(path: str) -> str:
    """Where a column lies in an episode file."""
    return f"{DEMO_PATH}/{path}" if path.split("/", maxsplit=1)[0] in _TRAINING_ROOTS else path


@dataclass(frozen=True)
class EpisodeMetadata:
    """What is known of an episode when it starts.

    Attributes:
        instruction: task in words.
        operator: name of the person who demonstrates.
        device: what the operator drove with, such as `keyboard`, or one of `SCRIPTS`; empty where
            it is not known.
        round: number of the DAgger round; 0 for plain demonstrations.
        seed: seed of everything random in the episode; None where nothing is seeded.
        checkpoint_digest: digest of the policy that ran; empty without a policy.
        noise_covariance: (n, n) covariance of the injected noise, rad², m² or rad·m; None without
            noise.
        started_utc: start of the episode in ISO 8601; empty where it is not known.
        software_version: version of this package that recorded the episode.
        notes: other facts, as text by name.
    """

    instruction: str = ""
    operator: str = ""
    device: str = ""
    round: int = 0
    seed: int | None = None
    checkpoint_digest: str = ""
    noise_covariance: FloatArray | None = None
    started_utc: str = ""
    software_version: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


def _check_column(column: Column, source: str) -> None:
    def refuse(why: str) -> DatasetError:
        return DatasetError(f"{source}: column '{column.path}': {why}")

    if not _COLUMN_PATH.fullmatch(column.path) or column.path.split("/")[0] not in _COLUMN_ROOTS:
        raise refuse(f"not a valid path; it begins with one of {', '.join(_COLUMN_ROOTS)}")
    if column.dtype not in _DTYPES:
        raise refuse(f"dtype '{column.dtype}' is not one of {', '.join(_DTYPES)}")
    if any(size < 1 for size in column.shape) or len(column.shape) > 4:
        raise refuse(f"bad shape {column.shape}")
    if column.row_bytes > MAX_ROW_BYTES:
        raise refuse(f"a row of {column.row_bytes} bytes is above the bound of {MAX_ROW_BYTES}")
    height_width = column.shape[:2]
    if column.encoding is Encoding.JPEG and (
        column.shape != (*height_width, 3) or column.dtype != "uint8"
    ):
        raise refuse("a JPEG column has shape (height, width, 3) and dtype uint8")
    if column.encoding is Encoding.DEPTH and (
        column.shape != (*height_width, 1) or column.dtype != "uint16"
    ):
        raise refuse("a depth column has shape (height, width, 1) and dtype uint16")
    if (column.encoding is Encoding.JPEG) != column.path.startswith("images/"):
        raise refuse("JPEG columns, and only they, lie under images/")


def _column_to_plain(column: Column) -> dict[str, Any]:
    unit = {"unit": column.unit} if column.unit else {}
    return {
        "path": column.path,
        "shape": list(column.shape),
        "dtype": column.dtype,
        "encoding": column.encoding.value,
        "names": list(column.names),
        **unit,
    }


def _env_args(text: str, source: str) -> dict[str, Any]:
    try:
        env_args = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise DatasetError(f"{source}: env_args: not valid JSON: {problem}") from problem
    return decode(env_args, dict[str, Any], source, "env_args", DatasetError)


class _ColumnEntry(Struct, frozen=True):
    """A column in `dataset.json`."""

    path: Text
    shape: tuple[int, ...]
    dtype: _DTYPE
    encoding: Encoding
    names: Names
    unit: Text = ""


class _StreamEntry(Struct, frozen=True):
    """A stream in `dataset.json`."""

    name: Text
    rate_hz: Positive
    max_age_s: Positive
    columns: tuple[_ColumnEntry, ...]


class _Description(Struct, frozen=True):
    """All of a `dataset.json`."""

    schema_version: AtLeast1
    robot: Text
    task: Text
    rate_hz: Positive
    joint_names: Names
    env_args: Text
    streams: tuple[_StreamEntry, ...]


def _stream(entry: _StreamEntry) -> Stream:
    columns = tuple(Column(**structs.asdict(column)) for column in entry.columns)
    return Stream(entry.name, entry.rate_hz, entry.max_age_s, columns)
