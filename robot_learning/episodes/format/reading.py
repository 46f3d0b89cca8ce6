"""One kind of error for everything that can be wrong with a file."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError

# What h5py, NumPy and the standard library raise on bytes that make no sense. A NameError or an
# AttributeError is a mistake of this package's and says nothing of the file.
_DAMAGE = (OSError, RuntimeError, ValueError, LookupError, ArithmeticError)
# What the machine refuses, however sound the file is.
_REFUSED_BY_SYSTEM = frozenset(
    {
        *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE),
    }
)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn anything that the HDF5 library raises on a damaged file into an EpisodeError.

    Raises:
        EpisodeError: names the file, as do our own errors that pass through here.
        FileAccessError: the machine refuses (disk full, no permission); the file may be sound.
    """
    try:
        yield
    except RobotLearningError as problem:
        if str(path) in str(problem):
            raise
        raise type(problem)(f"{path}: {problem}") from problem
    except MemoryError:
        raise EpisodeError(f"{path}: asks for more memory than there is") from None
    except NotImplementedError:
        raise
    except _DAMAGE as problem:
        if isinstance(problem, OSError) and problem.errno in _REFUSED_BY_SYSTEM:
            raise FileAccessError(f"{path}: cannot be read or written now: {problem}") from problem
        raise EpisodeError(f"{path}: damaged: {problem}") from problem
    except TypeError as problem:
        # HDF5 types that NumPy does not know, and a group where an array should be.
        if not _arose_in_h5py(problem.__traceback__):
            raise
        raise EpisodeError(f"{path}: damaged: {problem}") from problem


def _arose_in_h5py(traceback: TracebackType | None) -> bool:
    module = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        traceback = traceback.tb_next
    return module.partition(".")[0] == "h5py"
