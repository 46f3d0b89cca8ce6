"""Reading JPEG frames of variable length past HDF5's parser of global heaps.

That parser never ends, or worse, on some damaged files. A frame is found through its entry
in the column (length, address of a heap, number in the heap), every step of which is checked
against the size of the file. It also reads less: the frame, and not its whole heap.
"""

from __future__ import annotations

import os
import struct

import h5py
import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.episodes.format.errors import EpisodeError

_ENTRY = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_HEAP = struct.Struct("<4sB3xQ")  # signature, version, size
_OBJECT = struct.Struct("<HH4xQ")  # number, references, size
_MAX_OBJECTS = 65536


class FrameReader:
    """Reads the frames of the JPEG columns of one open file."""

    def __init__(self, file: h5py.File) -> None:
        # The very file that HDF5 has open, even if another one has taken its name since.
        self._descriptor = os.dup(file.id.get_vfd_handle())
        self._file_bytes = os.fstat(self._descriptor).st_size
        self._chunk_rows: dict[int, int] = {}
        self._entries: dict[tuple[int, int], np.ndarray[tuple[int], np.dtype[np.void]]] = {}

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def read(self, dataset: h5py.Dataset, row: int) -> bytes:
        """The bytes of one frame; none where it was lost.

        Raises:
            EpisodeError: the file is damaged there.
        """
        column = dataset.id.id
        if column not in self._chunk_rows:
            (self._chunk_rows[column],) = dataset.chunks
        chunk_rows = self._chunk_rows[column]
        chunk, place = divmod(row, chunk_rows)
        key = (column, chunk)
        if key not in self._entries:
            stored = dataset.id.read_direct_chunk((chunk * chunk_rows,))[1]
            if len(stored) != chunk_rows * _ENTRY.itemsize:
                raise EpisodeError(f"'{dataset.name}': row {row} cannot be found")
            self._entries[key] = np.frombuffer(stored, _ENTRY)
        length, address, number = (int(value) for value in self._entries[key][place])
        if length == 0:
            return b""
        try:
            return self._object(address, number, length)
        except (ValueError, struct.error, OverflowError) as problem:
            raise EpisodeError(f"'{dataset.name}': row {row} is damaged: {problem}") from problem

    def _object(self, address: int, number: int, length: int) -> bytes:
        signature, version, size = _HEAP.unpack(self._pread(address, _HEAP.size))
        end = address + size
        if signature != b"GCOL" or version != 1 or end > self._file_bytes:
            raise ValueError("no heap where it should be")
        position = address + _HEAP.size
        for _ in range(_MAX_OBJECTS):
            found, _, object_bytes = _OBJECT.unpack(self._pread(position, _OBJECT.size))
            start = position + _OBJECT.size
            if found == 0 or start + object_bytes > end:
                break
            if found == number:
                if object_bytes < length:
                    raise ValueError(f"{amount(object_bytes, 'byte')} instead of {length}")
                return self._pread(start, length)
            position = start + (object_bytes + 7) // 8 * 8
        raise ValueError("it is not in its heap")

    def _pread(self, start: int, length: int) -> bytes:
        if start + length > self._file_bytes:
            raise ValueError("it lies beyond the end of the file")
        return os.pread(self._descriptor, length, start)
