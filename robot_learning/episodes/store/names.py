"""Episodes as people name them: by number, by range, by file name, or as the last one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from robot_learning.core.errors import unknown_choice
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.store.folder import episode_number

_RANGE = re.compile(r"(\d+)-(\d+)")
_ONE = re.compile(r"(?:episode_|demo_)?(\d+)(?:\.hdf5)?")
LAST = "last"


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
    raise DatasetError(unknown_choice("episode", text, _short(names)))


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
            raise DatasetError(unknown_choice("range of episodes", text, _short(names)))
        chosen |= found
    return [name for name in names if name in chosen]


def _short(names: Sequence[str]) -> list[str]:
    shown = [name.removesuffix(".hdf5") for name in names]
    return shown if len(shown) <= 10 else [*shown[:4], "...", *shown[-4:]]
