"""Where the rows of a corrective episode came from: the group `origin` of its file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.core.types import FloatArray, IntArray
from robot_learning.episodes.format.attributes import get_text, set_text
from robot_learning.episodes.format.errors import EpisodeError

_GROUP = "origin"
_COLUMNS = ("row", "kind", "error_bound")


@dataclass(frozen=True)
class Origins:
    """The rows that T corrective labels were made for, all of one episode.

    Attributes:
        episode: file name that the episode had when the labels were made.
        digest: its `Episode.recording_digest`, which tells it from others whatever its name is.
        row: (T,) number of the row in that episode.
        kind: (T,) way in which each label was made, a value of `CorrectiveKind`.
        error_bound: (T,) bound of the error of each label, in standard deviations of the state.
    """

    episode: str
    digest: str
    row: IntArray
    kind: npt.NDArray[np.uint8]
    error_bound: FloatArray

    def between(self, start: int, stop: int) -> Origins:
        """Those of the rows `start` to `stop`."""
        return replace(self, **{name: getattr(self, name)[start:stop] for name in _COLUMNS})


def write_origins(file: h5py.File, origins: Origins) -> None:
    """Store them in an episode's file."""
    group = file.create_group(_GROUP)
    set_text(group, "episode", origins.episode)
    set_text(group, "digest", origins.digest)
    for name in _COLUMNS:
        # With checksums, as the digests of columns do not cover them.
        group.create_dataset(name, data=getattr(origins, name), fletcher32=True)


def read_origins(file: h5py.File, rows: int) -> Origins | None:
    """The origins in an episode's file; None where the episode was recorded.

    Args:
        file: the episode file.
        rows: number of rows of the episode.

    Raises:
        EpisodeError: something of them is missing, damaged or of another length.
    """
    if _GROUP not in file:
        return None
    group = file[_GROUP]
    if not isinstance(group, h5py.Group):
        raise EpisodeError(f"'{_GROUP}' is no group")
    columns = {name: group[name][:] for name in _COLUMNS}
    for name, values in columns.items():
        if values.shape != (rows,):
            raise EpisodeError(f"'{_GROUP}/{name}' has the shape {values.shape}, not ({rows},)")
    return Origins(episode=get_text(group, "episode"), digest=get_text(group, "digest"), **columns)
