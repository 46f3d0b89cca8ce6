"""`gate.json`: when an ensemble asks for help, and what that was found out from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_learning.core.ensemble_folders import GATE_NAME
from robot_learning.headers.json_header import HeaderError, read_header

VERSION = 2


def read_gate_header(folder: Path | str) -> dict[str, Any]:
    """The content of the header in a gate's folder.

    Raises:
        HeaderError: as of `read_header`.
    """
    return read_header(Path(folder) / GATE_NAME, "gate", VERSION)


def gate_source(folder: Path) -> Mapping[str, Any] | None:
    """How the gate in a folder was found out; None where there is none, or a damaged one."""
    try:
        source = read_gate_header(folder).get("source")
    except HeaderError:
        return None
    return source if isinstance(source, dict) else None
