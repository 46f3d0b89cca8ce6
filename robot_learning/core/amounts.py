"""Counts in sentences."""

from __future__ import annotations


def amount(count: int, thing: str, things: str = "") -> str:
    """A count with its noun, in the singular or the plural.

    Args:
        count: how many there are.
        thing: the noun in the singular, with its adjectives or verb.
        things: the plural; empty appends an s.

    >>> amount(1, "episode"), amount(3, "failed episode"), amount(0, "row")
    ('1 episode', '3 failed episodes', '0 rows')
    >>> amount(1, "row is", "rows are"), amount(2, "body", "bodies")
    ('1 row is', '2 bodies')
    """
    return f"{count} {thing}" if count == 1 else f"{count} {things or f'{thing}s'}"
