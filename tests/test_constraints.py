"""What `make test-lowest` installs are the lower bounds that setup.py states."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ("BASE", "TELEOP", "DATASETS", "ONNX", "LEARNING", "TEST", "DEV")
"""The lists of setup.py that state ranges; those of ROS name one version each."""


def stated_requirements() -> list[str]:
    """Every requirement in those lists, as it is written there."""
    lists = {
        node.targets[0].id: node.value
        for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return [
        entry.value
        for group in GROUPS
        for entry in lists[group].elts
        if isinstance(entry, ast.Constant)
    ]


def lower_bounds(requirements: list[str]) -> dict[str, str]:
    found = [re.match(r"([\w-]+)(?:>=([\d.]+))?", text) for text in requirements]
    return {match[1]: match[2] for match in found if match and match[2]}


def version(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(".")]
    return numbers + [0] * (4 - len(numbers))


def test_the_lowest_versions_are_those_of_setup_py() -> None:
    lines = (ROOT / ".ci" / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    bounds = lower_bounds(stated_requirements())
    assert pinned.keys() == bounds.keys()
    wrong = [n for n, text in bounds.items() if version(pinned[n]) != version(text)]
    assert wrong == []


def test_every_requirement_but_type_stubs_states_a_lower_bound() -> None:
    stated = stated_requirements()
    unbound = [text for text in stated if not lower_bounds([text])]
    assert unbound == ["types-PyYAML"]
