"""What an earlier import of the same episodes has left in a dataset: whole ones, and a cut one.

An import that was killed goes on by its episodes' digests, which are among their notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from robot_learning.episodes.format.attributes import get_object
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.journaled_file import apply_journal, journal_path
from robot_learning.episodes.format.reading import reading
from robot_learning.episodes.imports.lerobot.units import Units
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder

_DIGEST, _ROWS, _UNITS = "imported_digest", "imported_rows", "imported_units"
_DIGEST_CHARACTERS = 32


def digest_of(number: int, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """What tells an episode from every other one: its number and its rows."""
    digest = hashlib.sha256(str(number).encode())
    for path, rows in arrays.items():
        digest.update(f"{path} {rows.shape}".encode())
        digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()[:_DIGEST_CHARACTERS]


def notes_of(digest: str, rows: int, units: Units) -> dict[str, str]:
    """The notes by which an episode is known again."""
    return {_DIGEST: digest, _ROWS: str(rows), _UNITS: units}


class EarlierEpisodes:
    """The imported episodes of a dataset. Hold its lock."""

    def __init__(self, folder: DatasetFolder) -> None:
        """Look into every episode, the unfinished ones too; damaged ones are not there."""
        self._names: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._cut: dict[str, list[Path]] = {}
        for name in folder.episode_names():
            with suppress(EpisodeError), Episode(folder.episodes_path / name) as episode:
                notes = episode.metadata.notes
                # A cut one that was repaired is shorter.
                if notes.get(_ROWS) == str(episode.rows):
                    self._names[notes.get(_DIGEST, "")] = name
                    self._units[name] = notes.get(_UNITS, "stored")
        for path in folder.partial_paths():
            with suppress(EpisodeError), reading(path):
                apply_journal(path)
                with h5py.File(path, "r") as file:
                    digest = str(get_object(file, "notes").get(_DIGEST, ""))
                self._cut.setdefault(digest, []).append(path)

    def name(self, digest: str) -> str | None:
        """The name of the whole episode with this digest; None where there is none."""
        return self._names.get(digest)

    def refuse_other_units(self, name: str, units: Units) -> None:
        """Refuse to take an episode for one that was imported with other units.

        Raises:
            EpisodeError: the one in the dataset has other units.
        """
        if (there := self._units[name]) != units:
            raise EpisodeError(
                f"{name} is it, in the dataset already, with units as '{there}', and this import "
                f"takes '{units}'; import into a new folder"
            )

    def remove_cut(self, digest: str) -> None:
        """Remove what a killed import left of an episode; call it when the whole one is there."""
        for path in self._cut.pop(digest, ()) if digest else ():
            path.unlink(missing_ok=True)
            journal_path(path).unlink(missing_ok=True)
