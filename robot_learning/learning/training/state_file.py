"""The JSON file from which a run is resumed: replaced atomically, and read strictly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.headers.json_header import HeaderError, read_header
from robot_learning.learning.training.errors import RunError

State = TypeVar("State")


def write_state(path: Path, version: int, plain: Mapping[str, Any]) -> None:
    """Replace the file; its folder is created where it is missing.

    Args:
        path: path of the file.
        version: version of the format, stored with the content.
        plain: content as plain values.

    Raises:
        OSError: it cannot be written; the state before stays.
    """
    text = json.dumps({"version": version, **plain}, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (text + "\n").encode())


def read_state(
    path: Path, version: int, build: Callable[[dict[str, Any]], State], run: str = "run"
) -> State:
    """The state that `build` makes from the file's content without the version.

    Args:
        path: path of the file.
        version: newest version of the format that is understood.
        build: makes the state; may raise `ConfigurationError`, `ValueError`, `KeyError`,
            `TypeError` or `AttributeError` for wrong content.
        run: name of what the file is the state of, for errors.

    Raises:
        RunError: the file is missing or damaged, or a newer version wrote it.
    """
    try:
        plain = read_header(path, run, version)
    except HeaderError as problem:
        raise RunError(str(problem)) from problem
    del plain["version"]
    try:
        return build(plain)
    except ConfigurationError as problem:
        raise RunError(f"{path}: damaged: {problem}") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise RunError(f"{path}: damaged: {problem!r}") from problem
