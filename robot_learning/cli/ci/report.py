"""What the checks of a pipeline found: a line each for people, JUnit's XML for its tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from xml.etree import ElementTree

from robot_learning.core.errors import ConfigurationError

SUITE = "robot-learning"
# What XML 1.0 cannot hold, escaped or not.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Verdict(Enum):
    """How a check ended; ERROR is one that could not be made."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Result:
    """One check.

    Attributes:
        group: `profile`, `dataset`, `replay` or `policy`.
        name: what was checked.
        verdict: how it ended.
        text: what was found.
        wall_s: how long it took.
    """

    group: str
    name: str
    verdict: Verdict
    text: str
    wall_s: float


def junit(results: Sequence[Result]) -> bytes:
    """The results in JUnit's format, as Jenkins, GitLab and GitHub's actions read it."""
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=SUITE,
        tests=str(len(results)),
        failures=str(sum(result.verdict is Verdict.FAILED for result in results)),
        errors=str(sum(result.verdict is Verdict.ERROR for result in results)),
        skipped="0",
        time=f"{sum(result.wall_s for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{SUITE}.{result.group}",
            name=_plain(result.name),
            time=f"{result.wall_s:.3f}",
        )
        text = _plain(result.text)
        if result.verdict is Verdict.PASSED:
            ElementTree.SubElement(case, "system-out").text = text
        else:
            tag = "failure" if result.verdict is Verdict.FAILED else "error"
            first = text.partition("\n")[0]
            ElementTree.SubElement(case, tag, message=first, type=result.group).text = text
    ElementTree.indent(root)
    found: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return found


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """Write `junit` to a file; its folder is made.

    Raises:
        ConfigurationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(junit(results))
    except OSError as problem:
        raise ConfigurationError(f"--junit {path}: cannot be written: {problem}") from problem


def _plain(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
