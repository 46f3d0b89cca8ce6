"""The warnings that nodes have logged: each kind once, with how often it came."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from robot_learning.cli.nodes.node_output import NodeLine
from robot_learning.core.amounts import amount

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass
class WarningSummary:
    """Counts warnings and errors. Texts that differ in their numbers alone are of one kind."""

    _newest: dict[tuple[str, str], str] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, line: NodeLine) -> None:
        """Take note of a line, unless it is information."""
        if line.severity in ("INFO", "DEBUG"):
            return
        node = line.node.rpartition(".")[2]
        kind = node, _NUMBER.sub("0", line.text)
        self._newest[kind] = f"{node}: {line.text}"
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def lines(self) -> list[str]:
        """The newest text of each kind, in the order in which they came first."""
        return [
            text + (f" ({amount(count, 'time')})" if (count := self._counts[kind]) > 1 else "")
            for kind, text in self._newest.items()
        ]

    def show(self) -> None:
        """Print them below a heading; nothing where there were none."""
        if lines := self.lines():
            print("warnings of the nodes:", *lines, sep="\n  ")
