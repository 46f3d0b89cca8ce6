"""Counts in sentences."""

import pytest

from robot_learning.core.amounts import amount


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 failed episodes"), (1, "1 failed episode"), (2, "2 failed episodes")]
)
def test_a_noun_is_in_the_plural_unless_there_is_one(count: int, text: str) -> None:
    assert amount(count, "failed episode") == text
