"""What is shown while the loop runs: a heading a phase, a live line, and what the nodes say."""

from __future__ import annotations

import io
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.status import Status

_TOLD = ("session_node", "dagger_node")
_LINE = re.compile(r"^\[(\w+)\] \[INFO\] \[[\d.]+\] \[[\w.]+\]: (.*)$")
_KEPT_LINES = 12


class Screen:
    """Tells one phase after the other."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where to; by default stdout."""
        # Paths and texts of nodes may hold what rich takes for markup.
        self.console = console or Console(highlight=False, markup=False, emoji=False)
        self._begin_s = time.monotonic()
        self._status: Status | None = None

    @property
    def elapsed_s(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begin_s

    @contextmanager
    def phase(self, title: str, *, draws: bool = True) -> Iterator[None]:
        """Announce a phase, and draw its live line until the body is done.

        Without `draws` the body has the terminal for a progress bar of its own.
        """
        self.console.print(f"[{self.elapsed_s:4.0f} s] {title}", style="bold", soft_wrap=True)
        if not draws:
            yield
            return
        with self.console.status("starting") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def live(self, text: str) -> None:
        """What happens now: drawn in place on a terminal, else a line of its own."""
        if self._status is not None and self.console.is_terminal:
            self._status.update(text)
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(f"         {text}", soft_wrap=True)


class NodeOutput(io.StringIO):
    """Takes what nodes print: all of it into a file, the leading node's words to the screen."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        """Open the file anew."""
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._tell = tell
        self.path = path
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def write(self, text: str) -> int:
        """One or more whole lines, each with its node's name in front."""
        self._file.write(text)
        for line in text.splitlines():
            self.last_lines.append(line)
            found = _LINE.match(line)
            if found and found[1] in _TOLD:
                self._tell(found[2])
        return len(text)

    def flush(self) -> None:
        """Bring it to the disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
