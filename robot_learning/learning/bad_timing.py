"""Episodes whose timing was bad are no labels, unless somebody asks for them.

What they show is not what the operator did: rows without fresh samples, streams that lag behind
each other. The quality report says so (`episodes.quality.timing_reasons`). An episode that was
kept by hand (`robot-learning dataset keep`) is used like any other, and all are with
`data.keep_bad_timing=true`.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset import Dataset
from robot_learning.episodes.errors import DatasetError
from robot_learning.episodes.folder import episode_number
from robot_learning.learning.rounds import Round

_log = logging.getLogger(__name__)
SETTING = "data.keep_bad_timing"
LIMIT = 3
"""So many episodes in a row whose timing is bad mean that the machine is too slow."""
_SHOWN = 3
_HELP = (
    "What helps: close other programs; record with a lower rate, fewer or smaller cameras; leave "
    "out windows and films; in simulation, where nobody drives by hand, lockstep (`--lockstep "
    "true`), which no machine is too slow for"
)


def without_bad_timing(dataset: Dataset, keep: bool = False, *, tell: bool = True) -> Dataset:
    """The episodes that are labels; those that are left out are told in a line.

    Args:
        dataset: some episodes.
        keep: all of them.
        tell: that line; of several processes one does.

    Raises:
        DatasetError: none is left.
        EpisodeError: an episode cannot be read.
    """
    left_out = {} if keep else dataset.badly_timed()
    if not left_out:
        return dataset
    text, chosen = training_text(dataset, left_out), dataset.without(left_out)
    if not len(chosen):
        raise DatasetError(f"{dataset.path}: no episode is left: {text}")
    if tell:
        _log.warning("%s", text)
    return chosen


def training_text(dataset: Dataset, left_out: Mapping[str, Sequence[str]]) -> str:
    """How many episodes are left out of a training, which, why, and how they are kept."""
    names = list(left_out)
    shown = [f"{name} ({'; '.join(left_out[name])})" for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{len(names)} of {len(dataset)} episodes are left out, as their timing is bad: "
        f"{', '.join(shown)}{more}. `{keep_command(str(dataset.path), names)}` keeps "
        f"{'it' if len(names) == 1 else 'them'}; {SETTING}=true keeps all"
    )


def keep_command(dataset: str, names: Sequence[str]) -> str:
    """The command that makes labels of episodes whose timing was bad."""
    numbers = " ".join(str(episode_number(name)) for name in names)
    return f"robot-learning dataset keep {shlex.quote(dataset)} {numbers}"


def episode_text(dataset: str, name: str, reasons: Sequence[str]) -> str:
    """That an episode of a round is left out, why, and how it is kept."""
    return (
        f"{name} is left out, as its timing is bad: {'; '.join(reasons)}. It does not count and is "
        f"not trained on; to keep it, once the run has ended: {keep_command(dataset, [name])}"
    )


class OverloadWatch:
    """Looks at the episodes of a round as they are added, and counts those left out in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._reasons: tuple[str, ...] = ()

    def look(self, before: Round, after: Round, dataset: str) -> list[str]:
        """What to tell of the episodes that `after` has and `before` had not.

        Args:
            before: the round when it was looked at last.
            after: the same round now.
            dataset: folder that it lies in.
        """
        known = {episode.name for episode in before.episodes}
        texts = []
        for episode in after.episodes:
            if episode.name in known:
                continue
            self._in_a_row = self._in_a_row + 1 if episode.bad_timing else 0
            if episode.bad_timing:
                self._reasons = episode.bad_timing
                texts.append(episode_text(dataset, episode.name, episode.bad_timing))
        return texts

    def check(self, resume: str) -> None:
        """End a run in which too many episodes in a row were left out.

        Args:
            resume: the command that goes on with it.

        Raises:
            RobotLearningError: they were; says what was too slow and what helps.
        """
        if self._in_a_row >= LIMIT:
            raise RobotLearningError(
                f"{self._in_a_row} episodes in a row are left out, as their timing is bad; the "
                f"last one: {'; '.join(self._reasons)}. Something is too slow for what it has to "
                f"do. {_HELP}. Then go on with: {resume}"
            )
