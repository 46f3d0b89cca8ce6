"""Arrays with facts in one `.npz` file, which is replaced as a whole."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically

_FACTS = "facts"
_VERSION = "version"
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
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        facts: dict[str, Any] = json.loads(arrays.pop(_FACTS).tobytes())
        version = facts.pop(_VERSION)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path.parent}: there are no {what} here: {path.name} is missing; {remedy}"
        ) from None
    except (OSError, EOFError, ValueError, LookupError, TypeError, BadZipFile) as problem:
        raise damaged(path, problem) from problem
    if version > newest:
        raise ConfigurationError(f"{path}: a newer version of this software wrote it")
    return facts, arrays


def damaged(path: Path, problem: object) -> ConfigurationError:
    """The error about a file that does not hold what it should."""
    return ConfigurationError(f"{path}: damaged: {problem}")


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
