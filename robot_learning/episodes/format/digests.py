"""Digests of what an episode recorded: one per column, computed while it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class ColumnDigests:
    """SHA-256 of every column, over all rows in order.

    An array column is hashed as its little-endian bytes, a JPEG column as the length (8 bytes,
    little-endian) and the bytes of each frame.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, Any] = {}

    def update(self, path: str, rows: np.ndarray[Any, Any]) -> None:
        """Take further rows of an array column."""
        little_endian = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
        self._hash(path).update(np.ascontiguousarray(little_endian).data)

    def update_frames(self, path: str, frames: Sequence[bytes | memoryview]) -> None:
        """Take further rows of a JPEG column."""
        column = self._hash(path)
        for frame in frames:
            column.update(len(frame).to_bytes(8, "little"))
            column.update(frame)

    def hexdigests(self) -> dict[str, str]:
        """Per column, so that a mismatch names what was damaged."""
        return {path: self._hashes[path].hexdigest() for path in sorted(self._hashes)}

    def _hash(self, path: str) -> Any:
        if path not in self._hashes:
            self._hashes[path] = hashlib.sha256()
        return self._hashes[path]


def combine(digests: Mapping[str, str]) -> str:
    """One digest of several: of an episode's columns, or of a dataset's episodes."""
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
