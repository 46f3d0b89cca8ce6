import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.runs.budget import Budget
from robot_learning.learning.runs.seeds import Seeds


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        (Budget(), False),
        (Budget(rounds=4), False),
        (Budget(rounds=3), True),
        (Budget(labels=101), False),
        (Budget(rounds=9, labels=100), True),
        (Budget(episodes=6, labels=101), True),
    ],
)
def test_the_first_limit_that_is_reached_ends_a_run(budget: Budget, spent: bool) -> None:
    assert budget.is_spent(rounds=3, labels=100, episodes=7) is spent
    assert budget.is_limited is (budget != Budget())


def test_a_limit_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match="labels: expected at least 0, found -1"):
        Budget(labels=-1)


def test_seeds_differ_by_run_stream_and_number_and_repeat() -> None:
    places = [(0, 1, 2), (1, 1, 2), (0, 2, 2), (0, 1, 3)]
    seeds = [Seeds(run).of(stream, number) for run, stream, number in places]
    assert len(set(seeds)) == 4
    assert seeds[0] == Seeds(0).of(1, 2) < 2**32
