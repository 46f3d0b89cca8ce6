"""Counts in sentences."""

from __future__ import annotations


def amount(count: int, thing: str) -> str:
    """A count with its noun, in the plural where it belongs there.

    >>> amount(1, "episode"), amount(3, "failed episode"), amount(0, "row")
    ('1 episode', '3 failed episodes', '0 rows')
    """
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
