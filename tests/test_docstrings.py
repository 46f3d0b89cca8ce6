"""What public docstrings promise: arguments that are described, lines that stand by themselves."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "robot_learning"
MANY_ARGUMENTS = 3
DESCRIBED_SHARE = 0.9
"""Of the public functions with that many arguments; the rest say it in their sentences."""
SECTION = re.compile(r"(Attributes|Args):$")
ENTRY = re.compile(r" {4}\w[\w, ]*: (.+)$")
FRAGMENT = re.compile(r"(of|in|on|at|by|to|from|with|that|likewise|the same)\b", re.IGNORECASE)
COMPLETE = {
    "policies/families.py: the other presets are overrides of it.",
    "sim/experts/grasping.py: turn of the hand after which the grasp is the same, rad.",
}

Documented = ast.FunctionDef | ast.ClassDef


def public(node: ast.AST, in_class: bool = False) -> Iterator[tuple[Documented, bool]]:
    """Public functions and classes below `node`, each with whether it stands in a class."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield child, in_class
            if isinstance(child, ast.ClassDef):
                yield from public(child, True)


def argument_count(function: ast.FunctionDef, in_class: bool) -> int:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (in_class and names[:1] in (["self"], ["cls"]))


def entries(docstring: str) -> Iterator[str]:
    """The first line of each attribute and argument."""
    inside = False
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            inside = bool(SECTION.match(line))
        elif inside and (found := ENTRY.match(line)):
            yield found[1]


def documented() -> Iterator[tuple[str, Documented, bool, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node, in_class in public(ast.parse(path.read_text(encoding="utf-8"))):
            yield name, node, in_class, ast.get_docstring(node) or ""


def test_functions_of_many_arguments_describe_them() -> None:
    many = [
        (f"{name}: {node.name}", "Args:" in text)
        for name, node, in_class, text in documented()
        if isinstance(node, ast.FunctionDef) and argument_count(node, in_class) >= MANY_ARGUMENTS
    ]
    lacking = [name for name, described in many if not described]
    assert len(many) > 200
    assert len(lacking) <= (1.0 - DESCRIBED_SHARE) * len(many), lacking


def test_lines_of_attributes_and_arguments_stand_by_themselves() -> None:
    found = {
        f"{name}: {entry}"
        for name, _, _, text in documented()
        for entry in entries(text)
        if FRAGMENT.match(entry)
    }
    assert found <= COMPLETE, sorted(found - COMPLETE)


def test_a_fragment_is_seen() -> None:
    text = "What.\n\nAttributes:\n    name: of the node.\n    seed: seed of the first scene.\n"
    assert [entry for entry in entries(text) if FRAGMENT.match(entry)] == ["of the node."]


EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_print_what_they_say(path: Path) -> None:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    found = doctest.testmod(importlib.import_module(".".join(parts)))
    assert found.attempted and not found.failed
