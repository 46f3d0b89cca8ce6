"""What `robot-learning prefer rank` does."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.interactive.ranking_keys import HELP
from robot_learning.cli.interactive.ranking_person import (
    VIDEO_NAME,
    Asking,
    Terminal,
    Window,
    rank_by_hand,
)
from robot_learning.cli.interactive.ranking_window import RankingWindow
from robot_learning.cli.interactive.segment_pictures import SegmentPictures
from robot_learning.cli.interactive.segment_scene import trusted_scene
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, DependencyError
from robot_learning.core.files import LockHeldError, locked
from robot_learning.learning.preferences.judging import band_of, ranked_by_return
from robot_learning.learning.preferences.ranking_file import Answer, RankingFile, offered
from robot_learning.learning.preferences.segments import Segments, load_segments

Offer = Callable[[int], Sequence[str]]
_TIE_BAND = 0.05
_MOST_SEGMENTS = 9


def rank(arguments: argparse.Namespace) -> int:
    """Rank until there are enough answers, and say how many there are; 0 when there are enough.

    Raises:
        RobotLearningError: an option, the segments or a ranking is wrong.
    """
    folder: Path = arguments.folder
    _refuse_idle(arguments)
    segments = load_segments(folder)
    names = segments.names

    def offer(number: int) -> Sequence[str]:
        return offered(names, number, arguments.segments, arguments.seed)

    offer(0)
    try:
        with locked(folder):
            file = RankingFile(folder, names)
            if arguments.judge == "return":
                band = _TIE_BAND if arguments.tie_band is None else arguments.tie_band
                _rank_by_return(file, segments, offer, arguments.rankings, band)
            else:
                _ask(arguments, file, segments, offer)
    except LockHeldError:
        raise ConfigurationError(f"{folder}: another process works in it; end it first") from None
    _report(file, folder, arguments.rankings)
    return 0 if len(file.answers) >= arguments.rankings else 1


def _refuse_idle(arguments: argparse.Namespace) -> None:
    if arguments.tie_band is not None and arguments.judge != "return":
        raise ConfigurationError("--tie-band: only with --judge return; you say yourself what ties")
    shows = {
        "--env": arguments.env,
        "--env-set": arguments.env_set,
        "--dataset": arguments.dataset,
        "--no-window": arguments.no_window,
        "--author": arguments.author,
    }
    idle = [option for option, value in shows.items() if value]
    if idle and arguments.judge == "return":
        raise ConfigurationError(
            f"{', '.join(idle)}: not with --judge return, which shows nothing and asks nobody"
        )
    if arguments.rankings < 1:
        raise ConfigurationError(f"--rankings: expected at least 1, found {arguments.rankings}")
    if arguments.segments > _MOST_SEGMENTS:
        raise ConfigurationError(
            f"--segments: expected at most {_MOST_SEGMENTS}, one for each key, found "
            f"{arguments.segments}"
        )


def _rank_by_return(
    file: RankingFile, segments: Segments, offer: Offer, wanted: int, share: float
) -> None:
    returns = segments.returns()
    band = band_of(returns, share)
    with progress_bar("ranking", "ranking") as show:
        while len(file.answers) < wanted:
            names = offer(len(file.answers))
            chosen = returns[[int(name) for name in names]]
            file.add(Answer(ranked_by_return(names, chosen, band), "return"))
            show(len(file.answers), wanted)


def _ask(
    arguments: argparse.Namespace, file: RankingFile, segments: Segments, offer: Offer
) -> None:
    pictures = SegmentPictures(segments, trusted_scene(arguments, segments.scene))
    judge = arguments.author or getpass.getuser()
    with ExitStack() as stack:
        asking: Asking
        window = None if arguments.no_window else _window()
        if window is None:
            print(HELP)
            asking = Terminal(pictures, arguments.folder / VIDEO_NAME)
        else:
            stack.callback(window.close)
            asking = Window(pictures, window)
        rank_by_hand(file, asking, offer, arguments.rankings, judge)


def _window() -> RankingWindow | None:
    """The window, or None and a line on why there is none."""
    try:
        return RankingWindow()
    except DependencyError as problem:
        print(f"{problem}; the terminal is used")
        return None


def _report(file: RankingFile, folder: Path, wanted: int) -> None:
    rankings = file.rankings
    skipped = len(file.answers) - len(rankings)
    left = f", {skipped} skipped" if skipped else ""
    tied = sum(len(tier) > 1 for ranking in rankings for tier in ranking.tiers)
    text = f"{amount(len(rankings), 'ranking')} with {amount(tied, 'tie')}{left} in {file.path}"
    if len(file.answers) < wanted:
        print(f"{text}; the same command goes on")
    else:
        print(f"{text}; next: robot-learning prefer fit {folder}")
