"""Putting a folder in the place of another, so that a reader finds the old or the new one."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def move_whole(beside: Path, place: Path) -> None:
    """Flush the files of `beside` and move it to `place`; a folder there is removed after.

    Raises:
        OSError: it cannot be moved; `place` is then as before.
    """
    for path in [*beside.iterdir(), beside]:
        _flush(path)
    if not place.exists():
        beside.rename(place)
    elif _exchange(beside, place):
        shutil.rmtree(beside)
    else:
        old = place.with_name(f".{place.name}.{os.getpid()}.old")
        place.rename(old)
        beside.rename(place)
        shutil.rmtree(old)
    _flush(place.parent)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step where the system can (Linux), else return False."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
