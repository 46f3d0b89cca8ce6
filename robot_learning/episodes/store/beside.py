"""What is made beside its place, and moved there when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from robot_learning.core import files
from robot_learning.episodes.format.errors import DatasetError, DatasetLockedError


@contextmanager
def made_beside(path: Path) -> Iterator[Path]:
    """A free path next to `path`; what is there after the block is removed.

    Args:
        path: file or folder that is made.

    Raises:
        DatasetLockedError: another process is making it; the text says which.
        DatasetError: this user may not write there.
    """
    with place_beside(path) as beside:
        files.remove(beside)
        try:
            yield beside
        finally:
            files.remove(beside)


@contextmanager
def place_beside(path: Path) -> Iterator[Path]:
    """The same path with what a killed process has left there; nothing is removed.

    Args:
        path: file or folder that is made.

    Raises:
        DatasetLockedError: another process is making it; the text says which.
        DatasetError: this user may not write there.
    """
    with ExitStack() as stack:
        try:
            beside = stack.enter_context(files.place_beside(path))
        except files.LockHeldError as problem:
            raise DatasetLockedError(
                f"{path}: process {problem.holder or '(unknown)'} is making it now; wait until it "
                "is done, or name another place"
            ) from problem
        except OSError as problem:
            raise DatasetError(f"{path}: cannot be written: {problem}") from problem
        yield beside
