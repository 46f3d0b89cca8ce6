"""Rankings are saved as they are given, and what is wrong in their file is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.judging import band_of, ranked_by_return
from robot_learning.learning.preferences.ranking_file import (
    RANKINGS_NAME,
    Answer,
    RankingFile,
    offered,
)
from robot_learning.learning.preferences.rankings import Ranking

NAMES = tuple("01234567")


def test_each_answer_is_on_disk_at_once_and_can_be_taken_back(tmp_path: Path) -> None:
    file = RankingFile(tmp_path, NAMES)
    assert not file.undo()
    for text in ("3 > 1 = 2", "5 > 0"):
        file.add(Answer(Ranking.parse(text), "ada"))
    file.add(Answer(None, "ada"))
    again = RankingFile(tmp_path, NAMES)
    assert again.answers == file.answers and list(map(str, again.rankings)) == [
        "3 > 1 = 2",
        "5 > 0",
    ]
    assert again.undo() and again.undo()
    (line,) = (tmp_path / RANKINGS_NAME).read_text().splitlines()
    assert json.loads(line) == {"ranking": "3 > 1 = 2", "judge": "ada"}


@pytest.mark.parametrize(
    ("ranking", "said"),
    [
        ("1", "line 2: a ranking has two segments or more, found 1"),
        ("1 > 2 = 1", "line 2: duplicate name '1' in the ranking"),
        ("1 > 9", "line 2: there is no segment '9'; they are called 0 to 7"),
        ("1 > ", "line 2: '1 > ': a name is missing"),
        (7, "line 2: a ranking has two"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, ranking: object, said: str) -> None:
    lines = [json.dumps({"ranking": each, "judge": "ada"}) for each in ("0 > 1", ranking)]
    (tmp_path / RANKINGS_NAME).write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigurationError, match=said):
        RankingFile(tmp_path, NAMES)


def test_a_line_that_was_cut_off_is_named_and_an_unknown_segment_is_not_saved(
    tmp_path: Path,
) -> None:
    file = RankingFile(tmp_path, NAMES)
    with pytest.raises(ConfigurationError, match="there is no segment 'x'"):
        file.add(Answer(Ranking.parse("0 > x"), "ada"))
    assert not file.path.exists()
    file.path.write_text('{"ranking": "0 > ')
    with pytest.raises(ConfigurationError, match="line 1: no ranking"):
        RankingFile(tmp_path, NAMES)


def test_what_is_offered_follows_from_seed_and_number() -> None:
    first = [offered(NAMES, number, 4, 0) for number in range(20)]
    assert first == [offered(NAMES, number, 4, 0) for number in range(20)]
    assert first != [offered(NAMES, number, 4, 1) for number in range(20)]
    assert all(len(set(each)) == 4 for each in first) and len(set(first)) > 15
    with pytest.raises(ConfigurationError, match="--segments 9: expected at least 2 and at most 8"):
        offered(NAMES, 0, 9, 0)


def test_near_returns_are_tied_by_the_best_of_their_tier() -> None:
    returns = np.array([0.0, 1.0, 1.5, 2.1])
    assert str(ranked_by_return("ABCD", returns, 1.0)) == "D = C > B = A"
    assert str(ranked_by_return("ABCD", returns, 0.0)) == "D > C > B > A"
    assert band_of(returns, 0.1) == pytest.approx(0.21)
    with pytest.raises(ConfigurationError, match="--tie-band: expected at least 0 and below 1"):
        band_of(returns, 1.0)
