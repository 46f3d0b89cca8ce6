import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.episodes.format import journaled_file
from robot_learning.episodes.format.journaled_file import JournaledFile, apply_journal, journal_path


class Killed(BaseException):
    pass


class DiskThatDies:
    """Lets so many bytes reach the disk, then dies in the middle of a write."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes

    def __call__(self, descriptor: int, data: bytes, offset: int) -> None:
        whole = memoryview(data)
        part = whole[: self.budget_bytes]
        self.budget_bytes -= len(part)
        os.pwrite(descriptor, part, offset)
        if len(part) < len(whole):
            raise Killed


writes = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(1, 9000), st.integers(1, 255), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(operations=writes, budget_bytes=st.integers(0, 150_000))
def test_a_process_that_dies_anywhere_leaves_a_committed_state(
    tmp_path_factory: pytest.TempPathFactory, operations: list, budget_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "file"
    model = bytearray()
    committed = [b""]
    original = journaled_file._write_all
    journaled_file._write_all = DiskThatDies(budget_bytes)
    file = JournaledFile(path, create=True)
    try:
        for offset, length, value, commit in operations:
            model.extend(bytes(max(0, offset + length - len(model))))
            model[offset : offset + length] = bytes([value]) * length
            file.seek(offset)
            file.write(bytes([value]) * length)
            if commit:
                committed.append(bytes(model))
                file.commit(sync=False)
        file.seek(0)
        assert file.read() == bytes(model)
    except Killed:
        pass
    finally:
        journaled_file._write_all = original
        os.close(file._descriptor)
        os.close(file._journal)
    apply_journal(path)
    survived = path.read_bytes()
    # Killed inside a commit, the file may be as of that commit or as of the one before.
    assert any(survived[: len(state)].ljust(len(state), b"\0") == state for state in committed[-2:])


def test_hdf5_reads_the_last_commit_and_nothing_after(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = JournaledFile(path, create=True)
    hdf5 = h5py.File(file, "w")
    dataset = hdf5.create_dataset("x", (10,), maxshape=(None,), chunks=(4,), dtype="i8")
    dataset[:] = 1
    hdf5.flush()
    file.commit()
    dataset.resize(5000, axis=0)
    dataset[:] = 2
    hdf5.flush()
    os.truncate(journal_path(path), 0)
    with h5py.File(path, "r") as survived:
        np.testing.assert_array_equal(survived["x"][:], np.ones(10))
    file.commit()
    hdf5.close()
    file.commit()
    file.close(remove_journal=True)
    assert not journal_path(path).exists()
    with h5py.File(path, "r") as saved:
        np.testing.assert_array_equal(saved["x"][:], np.full(5000, 2))


def test_a_failed_disk_keeps_the_last_commit(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    file = JournaledFile(path, create=True)
    hdf5 = h5py.File(file, "w")
    hdf5["x"] = np.arange(1000)
    hdf5.flush()
    file.commit()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journaled_file, "_write_all", full)
    hdf5["y"] = np.arange(100_000)
    hdf5.flush()
    with pytest.raises(OSError, match="No space left"):
        file.commit()
    hdf5.close()
    file.close(remove_journal=True)
    apply_journal(path)
    with h5py.File(path, "r") as survived:
        assert list(survived) == ["x"]


def test_it_refuses_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        JournaledFile(tmp_path / "file", create=True)
