"""Files and folders that a reader sees as they were or as they are now, never in between."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class LockHeldError(Exception):
    """Another process holds a lock.

    Attributes:
        holder: process id of the holder as text; empty where the lock does not say.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by process {holder or '(unknown)'}")
        self.holder = holder


def fsync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A new path next to `path` to write to, which takes its place if the block ends well.

    Args:
        path: the file that is replaced, or made.
        durable: flush the file and its name to the disk; without, a loss of power may leave an
            empty file.

    Raises:
        OSError: the file cannot be written; `path` is as it was.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        yield beside
        if durable:
            fsync(beside)
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    if durable:
        fsync(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a small file.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    with replacing(path) as beside:
        beside.write_bytes(data)


@contextmanager
def place_beside(path: Path) -> Iterator[Path]:
    """Where a file or folder is made that then becomes `path`, by one process at a time.

    What lies there is what a killed process left behind of an earlier attempt.

    Raises:
        LockHeldError: another process is making it, on whichever machine or in whichever container.
        OSError: this user may not write there.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with _holding(lock):
        try:
            yield path.with_name(f".{path.name}.new")
        finally:
            lock.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; nothing where it is not there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the right to write to a folder; the kernel frees it when a process dies.

    Raises:
        LockHeldError: another process holds it.
        OSError: this user may not write there.
    """
    with _holding(folder / ".lock"):
        yield


@contextmanager
def _holding(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise LockHeldError(holder) from None
        # Its last holder may have removed the file after this process opened it.
        if not (lock.exists() and os.path.samestat(os.fstat(descriptor), lock.stat())):
            raise LockHeldError("")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def replace_folder(beside: Path, place: Path) -> None:
    """Flush the files of `beside` and move it to `place`; a folder there is removed after.

    Raises:
        OSError: it cannot be moved; `place` is as it was.
    """
    for path in [*beside.iterdir(), beside]:
        fsync(path)
    if not place.exists():
        beside.rename(place)
    elif _exchange(beside, place):
        shutil.rmtree(beside)
    else:
        old = place.with_name(f".{place.name}.{os.getpid()}.old")
        place.rename(old)
        beside.rename(place)
        shutil.rmtree(old)
    fsync(place.parent)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two folders in one step where the system can (Linux), else return False."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    return bool(function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
