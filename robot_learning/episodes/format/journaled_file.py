"""A file whose contents change atomically, for HDF5 to write to.

HDF5 overwrites its metadata in place and keeps no journal: a process killed in the middle of a
flush can leave a file that never opens again. `JournaledFile` is the file object handed to
`h5py.File`. What lies beyond the last commit is appended directly; changes to pages that were
committed stay in memory until `commit`, which writes them to a journal beside the file first
and to the file second. Whenever the process dies, the file, with its journal applied if that
is whole, is exactly as it was at a commit.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

_PAGE_BYTES = 4096
_MAGIC = b"RLJRNL01"
_HEADER = struct.Struct("<8sQQI")  # magic, pages, size of the file, CRC-32 of the body
_PAGE_NUMBER = struct.Struct("<Q")


def journal_path(path: Path) -> Path:
    """Where the journal of `path` lies."""
    return path.with_name(path.name + ".journal")


def apply_journal(path: Path) -> bool:
    """Bring `path` to its last commit; True when a whole journal was there and was applied.

    Applying twice does no harm. A torn journal belongs to a commit that did not happen and is
    ignored.
    """
    journal = journal_path(path)
    try:
        data = journal.read_bytes()
    except FileNotFoundError:
        return False
    if len(data) < _HEADER.size:
        return False
    magic, pages, size, checksum = _HEADER.unpack_from(data)
    entry_bytes = _PAGE_NUMBER.size + _PAGE_BYTES
    body = memoryview(data)[_HEADER.size : _HEADER.size + pages * entry_bytes]
    if magic != _MAGIC or len(body) != pages * entry_bytes or zlib.crc32(body) != checksum:
        return False
    with path.open("r+b") as file:
        for start in range(0, len(body), entry_bytes):
            (page,) = _PAGE_NUMBER.unpack_from(body, start)
            if page * _PAGE_BYTES >= size:
                continue
            file.seek(page * _PAGE_BYTES)
            file.write(body[start + _PAGE_NUMBER.size : start + entry_bytes])
        file.flush()
        os.fsync(file.fileno())
    return True


class JournaledFile:
    """A read-write file object with an atomic `commit`.

    After the first failed write (such as a full disk) nothing reaches the disk any more and
    `failure` holds the error: HDF5 can then be closed normally, and the file stays as it was
    at the last commit. One thread at a time.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open `path`; with `create` it must not exist yet.

        Raises:
            OSError: as `os.open` does.
        """
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        if not create:
            apply_journal(path)
        self.path = path
        self.failure: OSError | None = None
        self._descriptor = os.open(path, flags, 0o644)
        try:
            self._journal = os.open(
                journal_path(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644
            )
        except OSError:
            os.close(self._descriptor)
            raise
        self._size = os.fstat(self._descriptor).st_size
        self._protected_pages = _pages_in(self._size)
        self._changed: dict[int, bytearray] = {}
        self._position = 0
        self._closed = False

    def commit(self, *, sync: bool = True) -> None:
        """Make everything written so far the state that survives a crash.

        With `sync` it also survives a loss of power.

        Raises:
            OSError: the disk refused; the previous commit stays in force.
        """
        if self.failure is not None:
            raise self.failure
        try:
            if sync:
                os.fdatasync(self._descriptor)
            if self._changed:
                self._write_journal(sync)
                for page, content in self._changed.items():
                    _write_all(self._descriptor, content, page * _PAGE_BYTES)
        except OSError as problem:
            self.failure = problem
            raise
        self._changed.clear()
        self._protected_pages = _pages_in(self._size)

    def close(self, *, remove_journal: bool) -> None:
        """Close without committing.

        `remove_journal` is for a file that is complete: it is cut to its size and synced first.

        Raises:
            OSError: it could not be synced; the journal is kept.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if remove_journal and self.failure is None:
                os.ftruncate(self._descriptor, self._size)
                os.fsync(self._descriptor)
                journal_path(self.path).unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)
            os.close(self._journal)

    def _write_journal(self, sync: bool) -> None:
        body = b"".join(
            _PAGE_NUMBER.pack(page) + content for page, content in self._changed.items()
        )
        header = _HEADER.pack(_MAGIC, len(self._changed), self._size, zlib.crc32(body))
        _write_all(self._journal, header + body, 0)
        if sync:
            os.fdatasync(self._journal)

    # The file-object protocol that h5py's "fileobj" driver calls.

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As `io.RawIOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """As `io.RawIOBase.tell`."""
        return self._position

    def write(self, data: bytes | memoryview) -> int:
        """As `io.RawIOBase.write`, of everything."""
        view = memoryview(data).cast("B")
        start, length = self._position, len(view)
        self._position = start + length
        self._size = max(self._size, self._position)
        split = min(max(self._protected_pages * _PAGE_BYTES - start, 0), length)
        if split:
            self._write_protected(start, view[:split])
        if split < length and self.failure is None:
            try:
                _write_all(self._descriptor, view[split:], start + split)
            except OSError as problem:
                self.failure = problem
        return length

    def readinto(self, buffer: memoryview) -> int:
        """As `io.RawIOBase.readinto`; what was never written reads as zeros."""
        view = memoryview(buffer).cast("B")
        start, length = self._position, len(view)
        data = os.pread(self._descriptor, length, start)
        view[: len(data)] = data
        view[len(data) :] = bytes(length - len(data))
        for page in range(start // _PAGE_BYTES, _pages_in(start + length)):
            content = self._changed.get(page)
            if content is not None:
                low = max(start, page * _PAGE_BYTES)
                high = min(start + length, (page + 1) * _PAGE_BYTES)
                base = page * _PAGE_BYTES
                view[low - start : high - start] = content[low - base : high - base]
        self._position = start + length
        return length

    def read(self, size: int = -1) -> bytes:
        """As `io.RawIOBase.read`."""
        size = self._size - self._position if size < 0 else size
        buffer = bytearray(max(0, min(size, self._size - self._position)))
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def truncate(self, size: int | None = None) -> int:
        """Set the logical size. The file itself is cut at `close`, after the last commit."""
        self._size = self._position if size is None else size
        return self._size

    def flush(self) -> None:
        """Nothing: `commit` decides when data become permanent."""

    def _write_protected(self, start: int, view: memoryview) -> None:
        end = start + len(view)
        for page in range(start // _PAGE_BYTES, _pages_in(end)):
            base = page * _PAGE_BYTES
            content = self._changed.get(page)
            if content is None:
                content = bytearray(os.pread(self._descriptor, _PAGE_BYTES, base))
                content.extend(bytes(_PAGE_BYTES - len(content)))
                self._changed[page] = content
            low, high = max(start, base), min(end, base + _PAGE_BYTES)
            content[low - base : high - base] = view[low - start : high - start]


def _pages_in(size: int) -> int:
    return -(-size // _PAGE_BYTES)


def _write_all(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
