"""What a check of the doctor found, and how it is shown."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

LABEL_WIDTH = 9
NAME_WIDTH = 16
COLOURS = {"OK": "32", "missing": "33", "FAILED": "31"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        works: whether it does.
        detail: what was found.
        remedy: how to put it right, and what works without it; empty when it works.
        required: whether nothing useful runs without it.
        measured: figures, with units in their names.
    """

    name: str
    works: bool
    detail: str
    remedy: str = ""
    required: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`OK`, `missing`, or `FAILED` where it is required."""
        return "OK" if self.works else "FAILED" if self.required else "missing"


def report_text(findings: Sequence[Finding], width: int, colour: bool) -> str:
    """The findings as aligned lines.

    Args:
        findings: findings, in the order of the lines.
        width: number of characters that a line has at most.
        colour: whether labels are coloured with ANSI codes.
    """
    return "\n".join(line for finding in findings for line in _lines(finding, width, colour))


def _lines(finding: Finding, width: int, colour: bool) -> list[str]:
    indent = LABEL_WIDTH + NAME_WIDTH
    lines = textwrap.wrap(finding.detail, width - indent) or [""]
    if finding.remedy:
        lines += textwrap.wrap(f"fix: {finding.remedy}", width - indent, subsequent_indent="     ")
    label = f"{finding.label:{LABEL_WIDTH}}"
    if colour:
        label = f"\x1b[{COLOURS[finding.label]}m{label}\x1b[0m"
    first = f"{label}{finding.name:{NAME_WIDTH}}{lines[0]}"
    return [first, *(" " * indent + line for line in lines[1:])]


def report_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON list."""
    return json.dumps([{**asdict(each), "state": each.label} for each in findings], indent=2)


def run_probe(
    arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float
) -> dict[str, Any]:
    """Run a Python program that prints one JSON object.

    Args:
        arguments: arguments of the interpreter, such as `-m` and a module.
        environment: environment of the process, in place of this one's.
        timeout_s: time after which the process is killed, s.

    Returns:
        the object, or `{"error": why}` when there is none; it never raises.
    """
    command = [sys.executable, *arguments]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {timeout_s:g} s"}
    try:
        answer = json.loads(process.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        answer = None
    if isinstance(answer, dict):
        return answer
    if process.returncode < 0:
        return {"error": f"it was ended by signal {-process.returncode}"}
    complaints = process.stderr.strip().splitlines()
    return {"error": complaints[-1] if complaints else f"exit code {process.returncode}"}
