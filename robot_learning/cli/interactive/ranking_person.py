"""Rankings by a person: pictures in a window, or a video and a line in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from robot_learning.cli.interactive.ranking_keys import (
    ERASE,
    HELP,
    QUIT,
    SKIP,
    UNDO,
    is_complete,
    parse_keys,
)
from robot_learning.cli.interactive.ranking_window import RankingWindow
from robot_learning.cli.interactive.segment_pictures import SegmentPictures, write_video
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.ranking_file import Answer, RankingFile

VIDEO_NAME = "ranking.mp4"


class Asking(Protocol):
    """How a person is asked."""

    def ask(self, numbers: Sequence[int], told: str) -> str:
        """Show segments, and return what was typed: numbers of all, or `u`, `s` or `q`.

        Args:
            numbers: numbers of the segments.
            told: what the person is told before.
        """


class Terminal:
    """A video in a file, and lines in the terminal."""

    def __init__(self, pictures: SegmentPictures, path: Path) -> None:
        """Ask with videos in the file `path`."""
        self._pictures, self._path = pictures, path

    def ask(self, numbers: Sequence[int], told: str) -> str:
        """See `Asking`; the end of the input is a `q`."""
        frames = self._pictures.side_by_side(numbers)
        write_video(frames, self._path, self._pictures.rate_hz)
        print(f"{told}: {self._path}")
        try:
            return input("> ").strip()
        except EOFError:
            return QUIT


class Window:
    """A window, in which keys are pressed."""

    def __init__(self, pictures: SegmentPictures, window: RankingWindow) -> None:
        """Ask in a window that is open."""
        self._pictures, self._window = pictures, window

    def ask(self, numbers: Sequence[int], told: str) -> str:
        """See `Asking`; a ranking ends by itself when all numbers are typed."""
        self._window.show(self._pictures.side_by_side(numbers), self._pictures.rate_hz)
        typed = ""
        while not is_complete(typed, len(numbers)):
            key = self._window.key(f"{told}: {typed or HELP}")
            if key in (UNDO, SKIP, QUIT):
                return key
            typed = typed[:-1] if key == ERASE else typed + key
        return typed


def rank_by_hand(
    file: RankingFile,
    asking: Asking,
    offer: Callable[[int], Sequence[str]],
    wanted: int,
    judge: str,
) -> None:
    """Ask until there are enough answers, or the person ends it.

    Args:
        file: where answers are saved.
        asking: how the person is asked.
        offer: gives the names of the segments that are ranked next, by the number of answers.
        wanted: number of answers in the end.
        judge: name of the person.
    """
    problem = ""
    while len(file.answers) < wanted:
        names = offer(len(file.answers))
        told = f"{problem}{len(file.answers) + 1} of {wanted}"
        typed, problem = asking.ask([int(name) for name in names], told), ""
        if typed == QUIT:
            return
        if typed == UNDO:
            problem = "" if file.undo() else "there is no answer to take back; "
            continue
        try:
            ranking = None if typed == SKIP else parse_keys(typed, names)
        except ConfigurationError as wrong:
            problem = f"{wrong}; "
            continue
        file.add(Answer(ranking, judge))
