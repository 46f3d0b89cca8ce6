"""Rankings are their comparisons, and mistakes in them are named."""

import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.likelihoods import Outcome
from robot_learning.learning.preferences.rankings import Ranking


def test_a_ranking_of_four_with_a_tie_is_five_ordered_pairs_and_a_tie() -> None:
    found = list(Ranking.parse("D > C > A = B").comparisons())
    pairs = {(one.first + one.second): one.outcome for one in found}
    ordered = dict.fromkeys(["DC", "DA", "DB", "CA", "CB"], Outcome.FIRST)
    assert pairs == ordered | {"AB": Outcome.TIE}
    assert sum(one.weight for one in found) == pytest.approx(1.0)


def test_a_ranking_reads_as_it_was_written() -> None:
    assert str(Ranking.parse("a=b>  c")) == "a = b > c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A", "two segments or more, found 1"),
        ("A > ", "a name is missing"),
        ("A = > B", "a name is missing"),
        ("A > B = A", "duplicate name 'A' in the ranking 'A > B = A'"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Ranking.parse(text)
