import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.format.reading import reading

PATH = Path("x.hdf5")


@pytest.mark.parametrize(
    "problem",
    [
        *(KeyError("x"), ValueError("x"), RuntimeError("x"), OSError("truncated file")),
        *(OverflowError("x"), RecursionError("x"), MemoryError()),
    ],
)
def test_what_damaged_files_raise_names_the_file(problem: Exception) -> None:
    with pytest.raises(EpisodeError, match=r"x\.hdf5: "), reading(PATH):
        raise problem


@pytest.mark.parametrize(
    "problem",
    [NameError("x"), AttributeError("x"), TypeError("x"), NotImplementedError(), AssertionError()],
)
def test_mistakes_of_our_own_are_not_called_damage(problem: Exception) -> None:
    with pytest.raises(type(problem)), reading(PATH):
        raise problem


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EMFILE])
def test_what_the_machine_refuses_is_told_from_damage(code: int) -> None:
    with pytest.raises(FileAccessError, match="cannot be read or written now"), reading(PATH):
        raise OSError(code, "refused")


def test_a_type_that_only_hdf5_finds_wrong_is_damage(tmp_path: Path) -> None:
    with (
        h5py.File(tmp_path / "file.hdf5", "w") as file,
        pytest.raises(EpisodeError, match=r"x\.hdf5: damaged"),
        reading(PATH),
    ):
        len(file.create_dataset("scalar", data=np.float64(1)))
