"""What is shown while the loop runs: a heading a phase, and a live line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from robot_learning.cli.common.console import make_console


class Screen:
    """Tells one phase after the other."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where to; by default stdout."""
        self.console = console or make_console()
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
