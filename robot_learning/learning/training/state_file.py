"""The JSON file that a run goes on from: replaced whole, and read strictly."""

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
    """Replace the file; its folder is made.

    Raises:
        OSError: it cannot be written; the state before stays.
    """
    text = json.dumps({"version": version, **plain}, indent=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (text + "\n").encode())


def read_state(
    path: Path, version: int, build: Callable[[dict[str, Any]], State], run: str = "run"
) -> State:
    """What `build` makes of the file's content, the version left out.

    Args:
        path: of the file.
        version: the newest that is understood.
        build: may raise what wrong content brings about.
        run: what the file is the state of, for errors.

    Raises:
        RunError: there is none, it is damaged, or a newer version wrote it.
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
