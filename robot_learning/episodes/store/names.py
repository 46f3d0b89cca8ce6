"""Episodes as people name them: by number, by range, by file name, or as the last one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import episode_number

_RANGE = re.compile(r"(\d+)-(\d+)")
_ONE = re.compile(r"(?:episode_|demo_)?(\d+)(?:\.hdf5)?")
LAST = "last"
_MOST_RANGES = 8


def find_episode(text: str, names: Sequence[str]) -> str:
    """The file name among `names` that `text` means: `7`, `episode_000007`, `demo_7`, `last`.

    Raises:
        DatasetError: there is none; the text lists what there is.
    """
    if text == LAST and names:
        return names[-1]
    match = _ONE.fullmatch(text)
    for name in names:
        if match and episode_number(name) == int(match.group(1)):
            return name
    raise DatasetError(unknown_episode(text, names))


def find_episodes(texts: Iterable[str], names: Sequence[str]) -> list[str]:
    """The file names that `texts` mean, each once, in the dataset's order; `3-7` is a range.

    Raises:
        DatasetError: one of them means nothing, or is a range that goes beyond the last episode
            or backwards.
    """
    chosen: set[str] = set()
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None:
            chosen.add(find_episode(text, names))
            continue
        first, last = int(match.group(1)), int(match.group(2))
        found = {name for name in names if first <= episode_number(name) <= last}
        # Numbers that are gone leave holes, and a range may go over them; not beyond the last.
        if not found or last > episode_number(names[-1]):
            raise DatasetError(unknown_episode(text, names, "range of episodes"))
        chosen |= found
    return [name for name in names if name in chosen]


def unknown_episode(text: str, names: Sequence[str], what: str = "episode") -> str:
    """Error text for a name that is none of `names`, with the valid numbers.

    Args:
        text: the name or number that is not valid.
        names: file names of all episodes.
        what: kind of thing that is named.
    """
    return f"unknown {what} '{text}'; valid: {_numbers_text(names)}"


def _numbers_text(names: Sequence[str]) -> str:
    """The numbers of episodes, as ranges; only from where to where if there are many holes."""
    numbers = sorted(map(episode_number, names))
    if not numbers:
        return "(none)"
    # Numbers that follow each other differ by as much as their places do.
    runs = [
        [number for _, number in run]
        for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ]
    if len(runs) > _MOST_RANGES:
        return f"{numbers[0]} to {numbers[-1]}, some of which are gone"
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
