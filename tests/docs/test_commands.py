"""Commands in the README and the documentation name options and launch arguments that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_learning.bringup.groups import GROUPS
from robot_learning.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "launch" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LAUNCH = re.compile(r"ros2 launch robot_learning (\w+)\.launch\.py")


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's blocks that are ours to run; `…` stands for what was said before."""
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(("robot-learning ", "ros2 launch robot_learning ")):
                yield line.replace("…", "")


def written() -> list[tuple[str, str]]:
    return [
        (page.relative_to(ROOT).as_posix(), line)
        for page in PAGES
        if not {"generated", "_build"} & set(page.parts)
        for line in commands(page)
    ]


@pytest.mark.parametrize(("page", "line"), written())
def test_the_command_can_be_given(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if match := _LAUNCH.match(line):
        known = {argument.name for argument in GROUPS[match[1]].arguments}
        assert {word.partition(":=")[0] for word in words[4:]} <= known
    else:
        build_parser().parse_args(words[1:])
