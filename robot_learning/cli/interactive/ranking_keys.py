"""What a person types to rank segments: `431=2` is `4 > 3 > 1 = 2`."""

from __future__ import annotations

from collections.abc import Sequence

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.rankings import Ranking

TIE, UNDO, SKIP, QUIT, ERASE = "=", "u", "s", "q", "\b"
HELP = "numbers, the best first, = for a tie; u takes the last answer back, s skips, q ends"


def parse_keys(text: str, names: Sequence[str]) -> Ranking:
    """The ranking that was typed.

    Args:
        text: numbers of the segments from 1, the best first, with `=` between those that are as
            good as each other; spaces and `>` may stand between them.
        names: names of the segments in the order of their numbers.

    Raises:
        ConfigurationError: a number is missing, unknown or typed twice, or a `=` has no neighbour.

    >>> str(parse_keys("3 1=2", ["17", "4", "30"]))
    '30 > 17 = 4'
    """
    keys = [key for key in text if key not in " >"]
    valid = [str(number) for number in range(1, len(names) + 1)]
    tiers: list[list[str]] = []
    before = TIE
    for position, key in enumerate(keys):
        if key == TIE:
            if before == TIE or position == len(keys) - 1:
                raise ConfigurationError(f"'{text}': '=' stands between two numbers")
        elif key not in valid:
            raise ConfigurationError(f"'{text}': '{key}' is no number of 1 to {len(names)}")
        elif any(key in tier for tier in tiers):
            raise ConfigurationError(f"'{text}': {key} is ranked twice, which contradicts itself")
        elif before == TIE and tiers:
            tiers[-1].append(key)
        else:
            tiers.append([key])
        before = key
    missing = [key for key in valid if not any(key in tier for tier in tiers)]
    if missing:
        raise ConfigurationError(f"'{text}': {', '.join(missing)} is missing; type all of them")
    return Ranking(tuple(tuple(names[int(key) - 1] for key in tier) for tier in tiers))


def is_complete(text: str, count: int) -> bool:
    """Whether all numbers of 1 to `count` were typed, so that the ranking can be read."""
    return all(str(number) in text for number in range(1, count + 1))
