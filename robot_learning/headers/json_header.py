"""How every JSON header is read: whole, within a bound of size, of a version that is understood."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError

_LARGEST_BYTES = 16 * 2**20


class HeaderError(ConfigurationError):
    """A folder's header is missing, damaged, or of a newer version."""


def read_header(
    path: Path, what: str, newest: int, *, version_key: str = "version", remedy: str = ""
) -> dict[str, Any]:
    """The content of the header file `path`.

    Args:
        path: path of the header file.
        what: kind of thing that has such a header, such as "checkpoint", for errors.
        newest: newest version that is understood.
        version_key: key under which the file states its version.
        remedy: what to do where there is no such file, for its error; empty for nothing.

    Raises:
        HeaderError: it is missing, too large, no JSON mapping, states no version, or a newer one.
    """
    if not path.is_file():
        hint = f"; {remedy}" if remedy else ""
        raise HeaderError(f"{path.parent}: no {what} here: {path.name} is missing{hint}")
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise HeaderError(f"{path}: too large to be the header of a {what}")
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise HeaderError(f"{path}: damaged: {problem}") from problem
    version = plain.get(version_key) if isinstance(plain, dict) else None
    if not isinstance(version, int):
        raise HeaderError(f"{path}: damaged: it states no {version_key}")
    if version > newest:
        raise HeaderError(
            f"{path}: written by a newer version of this package ({version_key} {version}, this "
            f"one reads up to {newest}); update it"
        )
    return dict(plain)
