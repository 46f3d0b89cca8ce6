"""One kind of error for whatever is wrong with a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.errors import EpisodeError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes the HDF5 library raise into an EpisodeError.

    Raises:
        EpisodeError: names the file, as do our own errors that pass through here.
    """
    try:
        yield
    except RobotLearningError as problem:
        if str(path) in str(problem):
            raise
        raise type(problem)(f"{path}: {problem}") from problem
    except MemoryError:
        raise EpisodeError(f"{path}: asks for more memory than there is") from None
    except Exception as problem:
        raise EpisodeError(f"{path}: damaged: {problem}") from problem
