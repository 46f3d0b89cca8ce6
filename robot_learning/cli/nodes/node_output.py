"""What the nodes of a plan print: read line by line, kept in a file, and told in part."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TOLD = ("session_node", "dagger_node")
_LINE = re.compile(r"^\[(\w+)\] \[[\d.]+\] \[([\w.]+)\]: (.*)$")
_PROCESS = re.compile(r"^\[\w+\] ")
_SEVERITIES = {"WARN": "WARNING ", "ERROR": "ERROR ", "FATAL": "ERROR "}
_SPEED = re.compile(r"^\[\w+\] (simulated .* x real time\))$")
_KEPT_LINES = 12


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A line that a node has logged: how severe it is, the node's name, and what it says."""

    severity: str
    node: str
    text: str

    def __str__(self) -> str:
        return f"{_SEVERITIES.get(self.severity, '')}{self.node}: {self.text}"


def read_line(line: str) -> NodeLine | None:
    """A line as rclpy logs it, without its time; None for any other.

    >>> str(read_line("[WARN] [1796039697.237946174] [arbiter_node]: HUMAN -> HOLD"))
    'WARNING arbiter_node: HUMAN -> HOLD'
    """
    found = _LINE.match(line)
    return NodeLine(*found.groups()) if found else None


class NodeOutput(io.StringIO):
    """Takes what nodes print: all of it into a file, the leading node's words to the screen.

    Attributes:
        path: file that takes all lines.
        last_lines: newest lines, twelve at most.
        speed: simulated time against real time of a graph in lockstep, in words; empty until it
            has ended.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Open the file, emptying it."""
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._tell = tell
        self.path = path
        self.speed = ""
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def write(self, text: str) -> int:
        """One or more whole lines, each of which names its node."""
        self._file.write(text)
        for line in text.splitlines():
            self.last_lines.append(line)
            logged = read_line(line) or read_line(_PROCESS.sub("", line))
            if logged and logged.severity == "INFO" and logged.node in _TOLD:
                self._tell(logged.text)
            elif found := _SPEED.match(line):
                self.speed = found[1]
        return len(text)

    def flush(self) -> None:
        """Bring it to the disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
