"""Counts in sentences."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_learning.core.amounts import amount

PACKAGE = Path(__file__).resolve().parents[2] / "robot_learning"
PLURALS = re.compile(
    r" ([a-z]+ )?(actions|actuators|bodies|bytes|demonstrations|episodes|failures|gaps|joints|"
    r"labels|messages|names|numbers|points|processes|rounds|rows|samples|seeds|steps|streams|"
    r"successes|ticks|values|worlds)\b"
)
# Constants, no counts, figures that another node gave as text, reasons that are kept in episodes.
ALLOWED = {
    "episodes/format/quality.py: report['rows']",
    "episodes/imports/bag.py: _METADATA",
    "episodes/imports/bag.py: log.name",
    "episodes/format/schema.py: column.row_bytes",
    "episodes/store/index.py: summary.rows",
    "ros/demo/report.py: control.get('missed_ticks', '?')",
    "ros/demo/report.py: control.get('ticks', '?')",
    "ros/discovery_probe.py: MESSAGES",
    "ros/session_node.py: command",
    "serving/policy_runner.py: wanted[1]",
}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 failed episodes"), (1, "1 failed episode"), (2, "2 failed episodes")]
)
def test_a_noun_is_in_the_plural_unless_there_is_one(count: int, text: str) -> None:
    assert amount(count, "failed episode") == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bodies are"), (1, "1 body is"), (2, "2 bodies are")]
)
def test_a_plural_of_another_kind_is_given(count: int, text: str) -> None:
    assert amount(count, "body is", "bodies are") == text


def fixed_plurals(source: str) -> Iterator[str]:
    """What is put before a plural in f-strings."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            counts = isinstance(value, ast.FormattedValue) and value.format_spec is None
            if counts and isinstance(after, ast.Constant) and PLURALS.match(after.value):
                yield ast.unparse(value.value)


def test_no_message_has_its_plural_fixed() -> None:
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {counted}"
        for path in PACKAGE.rglob("*.py")
        for counted in fixed_plurals(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED
