"""The rankings beside segments: one JSON line each, saved as it is given.

The file is replaced as a whole with each ranking, so that it always holds all that were given.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.learning.preferences.rankings import Ranking
from robot_learning.learning.runs.seeds import Seeds

RANKINGS_NAME = "rankings.jsonl"
# Streams of seeds of this folder's own: which segments are ranked, and which rankings are held out.
OFFERS, SPLITS = 21, 22


@dataclass(frozen=True)
class Answer:
    """What somebody said of the segments that they were offered.

    Attributes:
        ranking: ranking of them; None for no opinion.
        judge: name of the person or of the script.
    """

    ranking: Ranking | None
    judge: str


class RankingFile:
    """The answers in a folder, in the order in which they were given.

    Attributes:
        answers: answers so far.
    """

    def __init__(self, folder: Path, names: Collection[str]) -> None:
        """Read what there is.

        Args:
            folder: folder of the segments.
            names: names of the segments that are there.

        Raises:
            ConfigurationError: a line is no ranking of these segments; the text says which.
        """
        self.path = folder / RANKINGS_NAME
        self._names = frozenset(names)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.answers = [self._read(number, line) for number, line in enumerate(lines, start=1)]

    @property
    def rankings(self) -> list[Ranking]:
        """The answers that are rankings."""
        return [answer.ranking for answer in self.answers if answer.ranking is not None]

    def add(self, answer: Answer) -> None:
        """Save an answer.

        Raises:
            ConfigurationError: it ranks a segment that is not there.
            OSError: the file cannot be written; the answers before stay.
        """
        if answer.ranking is not None:
            self._refuse_unknown(answer.ranking, "")
        self._write([*self.answers, answer])

    def undo(self) -> bool:
        """Take the last answer back; whether there was one.

        Raises:
            OSError: the file cannot be written; the answers before stay.
        """
        if not self.answers:
            return False
        self._write(self.answers[:-1])
        return True

    def _write(self, answers: list[Answer]) -> None:
        lines = [
            json.dumps(
                {
                    "ranking": None if answer.ranking is None else str(answer.ranking),
                    "judge": answer.judge,
                }
            )
            for answer in answers
        ]
        write_atomically(self.path, "".join(f"{line}\n" for line in lines).encode())
        self.answers = answers

    def _read(self, number: int, line: str) -> Answer:
        place = f"{self.path}, line {number}: "
        try:
            plain = json.loads(line)
            text, judge = plain["ranking"], str(plain["judge"])
        except (ValueError, LookupError, TypeError) as problem:
            raise ConfigurationError(f"{place}no ranking: {problem!r}") from problem
        if text is None:
            return Answer(None, judge)
        try:
            ranking = Ranking.parse(str(text))
        except ConfigurationError as problem:
            raise ConfigurationError(f"{place}{problem}") from problem
        self._refuse_unknown(ranking, place)
        return Answer(ranking, judge)

    def _refuse_unknown(self, ranking: Ranking, place: str) -> None:
        unknown = [name for name in ranking.names if name not in self._names]
        if unknown:
            raise ConfigurationError(
                f"{place}there is no segment '{unknown[0]}'; they are called 0 to "
                f"{len(self._names) - 1}"
            )


def offered(names: Sequence[str], number: int, count: int, seed: int) -> tuple[str, ...]:
    """The segments that are ranked next, drawn without repetition.

    Args:
        names: names of all segments.
        number: number of answers so far.
        count: number of segments in a ranking.
        seed: seed of the draws.

    Raises:
        ConfigurationError: there are fewer segments, or fewer than two are to be ranked.
    """
    if not 2 <= count <= len(names):
        raise ConfigurationError(
            f"--segments {count}: expected at least 2 and at most {len(names)}, as many as there "
            "are segments"
        )
    draws = np.random.default_rng(Seeds(seed).of(OFFERS, number))
    return tuple(names[index] for index in draws.choice(len(names), count, replace=False))
