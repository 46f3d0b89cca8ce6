"""Runs the code blocks of a tutorial, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robot_learning.cli.main import main

TUTORIALS = Path(__file__).resolve().parents[3] / "docs" / "tutorials"
_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, and the file that the page has it saved as."""

    kind: str
    text: str
    file: str | None


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page in order."""
    for match in _BLOCK.finditer(page):
        yield Block(match["kind"], match["text"], match["file"])


def run_tutorial(
    name: str, folder: Path, patch: pytest.MonkeyPatch, changes: Mapping[str, str]
) -> dict[str, Any]:
    """Do what a tutorial says.

    Args:
        name: of the page, without its suffix.
        folder: an empty one, to work in.
        patch: restores folder, path and environment afterwards.
        changes: text of the page that is replaced, so that it takes seconds; each must occur.

    Returns:
        What the Python blocks have defined.
    """
    page = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in page, f"{name}.md does not say {before!r} any more"
        page = page.replace(before, after)
    patch.chdir(folder)
    patch.syspath_prepend(folder)
    names: dict[str, Any] = {"__name__": name}
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            exec(compile(block.text, f"{name}.md", "exec"), names)
        elif block.kind == "bash":
            for line in block.text.replace("\\\n", " ").splitlines():
                _run_line(line, folder, patch)
    return names


def _run_line(line: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """One line for a shell: a command of ours, or a variable that is exported."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["export"]:
        variable, _, value = words[1].partition("=")
        patch.setenv(variable, value.replace("$PWD", os.fspath(folder)))
    elif words:
        assert words[0] == "robot-learning", f"a tutorial's command is robot-learning: {line}"
        assert main(words[1:]) == 0, line
