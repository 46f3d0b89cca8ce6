"""Tables and text in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTICE = "Generated from the code by `make docs`."


def escaped(text: str) -> str:
    """Text as it is, on one line of Markdown and within the cell of a table."""
    for character in "\\`*_<>[]|$":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fenced(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"```{language}\n{text.strip()}\n```"
