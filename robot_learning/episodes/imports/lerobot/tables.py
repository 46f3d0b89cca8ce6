"""Parquet tables, read a batch of rows at a time; nothing in them is executed or followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.optional import require
from robot_learning.episodes.format.reading import reading

PURPOSE = "LeRobot's format"
_LINE_CHARACTERS = 200


class Table:
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        """Read what the file says of itself.

        Raises:
            EpisodeError: it is missing, or no whole Parquet file.
            DependencyError: pyarrow is missing.
        """
        parquet = require("pyarrow.parquet", PURPOSE)
        self.path = path
        if not path.is_file():
            raise EpisodeError(f"{path}: no such file")
        with _decoding(path):
            # Otherwise a whole row group is held in memory, pictures and all.
            self._file: Any = parquet.ParquetFile(path, pre_buffer=False)
            self._schema: Any = self._file.schema_arrow

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def names(self) -> list[str]:
        """The names of its columns."""
        names: list[str] = self._schema.names
        return names

    def kind(self, name: str) -> Any:
        """The type of a column, as Arrow has it."""
        return self._schema.field(name).type

    def batches(self, names: Sequence[str], rows: int) -> Iterator[Any]:
        """The rows of some columns, as record batches.

        Args:
            names: names of the columns.
            rows: number of rows in a batch, at most.

        Raises:
            EpisodeError: a column is missing or there twice, or the file is damaged.
        """
        for name in names:
            if (there := self.names.count(name)) != 1:
                found = amount(there, "column is", "columns are")
                raise EpisodeError(f"{self.path}: {found} named '{name}', not one")
        with _decoding(self.path):
            batches = iter(self._file.iter_batches(rows, columns=list(names), use_threads=False))
        while True:
            with _decoding(self.path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def is_numeric(kind: Any) -> bool:
    """Whether these are numbers or booleans, or lists of them, nested or not."""
    types = require("pyarrow.types", PURPOSE)
    while not types.is_primitive(kind):
        if isinstance(kind, require("pyarrow", PURPOSE).BaseExtensionType):
            kind = kind.storage_type
        elif _is_list(kind, types):
            kind = kind.value_type
        else:
            return False
    return bool(types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind))


def numbers(column: Any, shape: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    """A column of numbers as an array, (rows, *shape).

    Args:
        column: array of Arrow, without chunks.
        shape: shape of a row; a column of numbers also has the shape (1,).
        what: name of the column, for errors.

    Raises:
        EpisodeError: it holds no numbers, or a row has another shape, or no value.
    """
    if not is_numeric(column.type):
        raise EpisodeError(f"'{what}' is of the type {column.type}, no numbers")
    types = require("pyarrow.types", PURPOSE)
    compute = require("pyarrow.compute", PURPOSE)
    rows = len(column)
    while not types.is_primitive(column.type):
        if not _is_list(column.type, types):
            column = column.storage
            continue
        if column.null_count:
            raise EpisodeError(f"'{what}' has rows without a value")
        sizes = compute.list_value_length(column).to_numpy(zero_copy_only=False)
        if sizes.size and (sizes != sizes[0]).any():
            raise EpisodeError(f"'{what}' has rows of different lengths")
        column = column.flatten()
    if column.null_count and not types.is_floating(column.type):
        raise EpisodeError(f"'{what}' has rows without a value")
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if values.size != rows * int(np.prod(shape)):
        found = values.size // rows if rows else 0
        raise EpisodeError(
            f"'{what}' has {amount(found, 'number')} a row, where meta/info.json says {shape}"
        )
    return values.reshape(rows, *shape)


def _is_list(kind: Any, types: Any) -> bool:
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises on a damaged file into an EpisodeError of one line."""
    arrow = require("pyarrow", PURPOSE)
    with reading(path):
        try:
            yield
        except (arrow.ArrowException, OSError, ValueError) as problem:
            if isinstance(problem, OSError) and problem.errno is not None:
                raise  # the machine's, and nothing about the file
            said = " ".join(str(problem).split())[:_LINE_CHARACTERS]
            raise EpisodeError(
                f"{path}: no whole Parquet file (was its writer never closed?): {said}"
            ) from problem
