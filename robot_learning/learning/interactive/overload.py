"""Rounds on a machine that is too slow: bad timing of episodes is reported and may stop a run."""

from __future__ import annotations

from collections.abc import Sequence

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.learning.interactive.rounds import Round
from robot_learning.learning.training.bad_timing import keep_command

LIMIT = 3
"""Number of episodes in a row with bad timing that mean that the machine is too slow."""
_HELP = (
    "What helps: close other programs; record with a lower rate, fewer or smaller cameras; leave "
    "out windows and videos; in simulation, where nobody drives, lockstep (`--lockstep "
    "true`), which no machine is too slow for"
)


def episode_text(dataset: str, name: str, reasons: Sequence[str]) -> str:
    """Text for a person: an episode of a round is left out, why, and how to keep it.

    Args:
        dataset: folder of the dataset.
        name: file name of the episode.
        reasons: why its timing is bad.
    """
    return (
        f"{name} is left out, as its timing is bad: {'; '.join(reasons)}. It does not count and is "
        f"not trained on; to keep it, once the run has ended: {keep_command(dataset, [name])}"
    )


class OverloadWatch:
    """Watches the episodes of a round as they are added, and counts those left out in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._reasons: tuple[str, ...] = ()

    def look(self, before: Round, after: Round, dataset: str) -> list[str]:
        """Texts about the episodes that are in `after` and not in `before`.

        Args:
            before: the round at the last look.
            after: the round now.
            dataset: folder of the dataset.
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
            resume: command that resumes the run.

        Raises:
            RobotLearningError: too many were left out; says what was too slow and what helps.
        """
        if self._in_a_row >= LIMIT:
            raise RobotLearningError(
                f"{amount(self._in_a_row, 'episode in a row is', 'episodes in a row are')} left "
                f"out, as their timing is bad; the last one: {'; '.join(self._reasons)}. Something "
                f"is too slow for what it has to do. {_HELP}. Then continue with: {resume}"
            )
