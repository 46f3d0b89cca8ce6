"""Some rows of an episode: a range of them, by who drove, and every k-th one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.episode import Episode

SOURCES = tuple(source.name.lower() for source in Source)


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which rows; the default is all of them.

    Attributes:
        first: first row of the range, counted from 0; negative counts from the episode's end.
        end: row after the last of the range; None for the end of the episode.
        only: source (`human`, `policy`, `none` or `corrective`) that was in control of the rows;
            empty for any.
        every: step with which the remaining rows are taken, beginning with the first; 1 takes all.
    """

    first: int = 0
    end: int | None = None
    only: str = ""
    every: int = 1

    def of(self, episode: Episode) -> npt.NDArray[np.bool_]:
        """(T,) the chosen rows of an episode; none of them where it is too short.

        Raises:
            DatasetError: there is no such source.
            EpisodeError: the episode does not know who was in control.
        """
        chosen = np.zeros(episode.rows, bool)
        chosen[slice(self.first, self.end)] = True
        if self.only:
            if self.only not in SOURCES:
                raise DatasetError(unknown_choice("source", self.only, SOURCES))
            chosen &= episode.column("control/source") == Source[self.only.upper()]
        kept = np.zeros_like(chosen)
        kept[np.flatnonzero(chosen)[:: self.every]] = True
        return kept

    def __post_init__(self) -> None:
        if self.every < 1:
            raise DatasetError(f"every {amount(self.every, 'row')}: expected at least 1")


def parse_range(text: str) -> tuple[int, int | None]:
    """The first row and the end that `10:-5` means, as in Python.

    Raises:
        ConfigurationError: it is no range.
    """
    first, colon, end = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return int(first) if first else 0, int(end) if end else None
    except ValueError:
        raise ConfigurationError(f"'{text}': expected rows as first:end, 25:100 say") from None
