"""Arrays with facts in one `.npz` file, which is replaced as a whole."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically

_FACTS = "facts"
_VERSION = "version"
# What NumPy, zipfile and json raise about bytes that they did not write.
_DAMAGES = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(NotImplementedError, RuntimeError, BadZipFile, zlib.error),
)
Arrays = dict[str, npt.NDArray[Any]]


def save_archive(
    path: Path, facts: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], version: int
) -> None:
    """Write a file, whose folder is made.

    Args:
        path: path of the file.
        facts: plain values, as JSON holds them.
        arrays: arrays by name.
        version: version of the format.

    Raises:
        OSError: the file cannot be written; one that was there before stays.
    """
    text = np.frombuffer(json.dumps({_VERSION: version, **facts}).encode(), np.uint8)
    columns: dict[str, Any] = {_FACTS: text, **arrays}
    data = io.BytesIO()
    np.savez(data, **columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data.getvalue())


def load_archive(path: Path, what: str, newest: int, remedy: str) -> tuple[dict[str, Any], Arrays]:
    """The facts and the arrays of a file.

    Args:
        path: path of the file.
        what: what it holds, for errors.
        newest: newest version that is understood.
        remedy: what to do where there is no such file.

    Raises:
        ConfigurationError: it is missing, damaged, or of a newer version.
    """
    try:
        with damage_told(path):
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
            facts = decode(json.loads(arrays.pop(_FACTS).tobytes()), dict[str, Any])
            version = decode(facts.pop(_VERSION), int, key=_VERSION)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path.parent}: there are no {what} here: {path.name} is missing; {remedy}"
        ) from None
    if version > newest:
        raise ConfigurationError(f"{path}: a newer version of this software wrote it")
    return facts, arrays


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Say which file does not hold what it should.

    Raises:
        ConfigurationError: reading it failed in the block.
        FileNotFoundError: it is not there.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (ConfigurationError, *_DAMAGES) as problem:
        text = f"{problem!r}" if isinstance(problem, LookupError) else f"{problem}"
        raise ConfigurationError(f"{path}: damaged: {text}") from problem


def refuse_other_shapes(
    arrays: Arrays, kinds: str, expected: Mapping[str, tuple[int, ...]], reason: str
) -> None:
    """Refuse arrays that cannot be used.

    Args:
        arrays: arrays by name.
        kinds: kinds of their types that are valid, as `numpy.dtype.kind` has them.
        expected: shape of each array.
        reason: why it has to have it, for the error.

    Raises:
        LookupError: one is missing.
        ConfigurationError: one has another type or shape.
    """
    for name, shape in expected.items():
        found = arrays[name]
        if found.dtype.kind not in kinds:
            raise ConfigurationError(f"{name} are of the type {found.dtype}")
        if found.shape != shape:
            raise ConfigurationError(
                f"{name} have the shape {found.shape}, expected {shape}: {reason}"
            )


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
