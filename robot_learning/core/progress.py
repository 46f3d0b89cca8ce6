"""Telling how far something is where no bar can be drawn: a line every few seconds.

A progress bar cannot be drawn in a file, a service's log or a build. There, long work is reported
by lines, even while a single step takes long.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

EVERY_S = 5.0
"""Seconds between two lines."""


def duration_text(seconds: float) -> str:
    """A duration as people say it.

    >>> duration_text(42.4), duration_text(192), duration_text(7300)
    ('42 s', '3 min 12 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class ProgressLines:
    """Writes a line every few seconds while its block runs; the first one after as long.

    What is over before leaves no line.
    """

    def __init__(
        self,
        what: str,
        unit: str = "",
        *,
        every_s: float = EVERY_S,
        ask: Callable[[], str] | None = None,
        write: Callable[[str], None] = _to_stderr,
    ) -> None:
        """Prepare.

        Args:
            what: what is under way, such as `training`.
            unit: what is counted, in the singular, such as `step`; empty for no unit.
            every_s: seconds between lines.
            ask: called before each line for what is being done now; None shows `phase`.
            write: takes a line.
        """
        self._what, self._unit, self._every_s, self._write = what, unit, every_s, write
        self._ask = ask
        self._done, self._total, self._first = 0, 0, 0
        self._figures = self._phase = ""
        self._began_s = self._estimated_s = time.monotonic()
        self._estimates = True
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ProgressLines:
        self._began_s = self._estimated_s = time.monotonic()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def begin_at(self, done: int, total: int) -> None:
        """What was done before, of how much; the remaining time is reckoned from here."""
        self._done = self._first = done
        self._total = total

    def hold_estimate(self) -> None:
        """Tell no remaining time until `estimate_from`: the beginning is no measure of the rest."""
        self._estimates = False

    def estimate_from(self, done: int) -> None:
        """Reckon the remaining time from now on, when so much is done."""
        self._first, self._estimated_s, self._estimates = done, time.monotonic(), True

    def update(self, done: int, total: int, figures: str = "") -> None:
        """Set how far the work is.

        Args:
            done: number of units that are done.
            total: number of units in all; 0 where nobody knows.
            figures: what else to show on the line; empty for nothing.
        """
        self._done, self._total, self._figures = done, total, figures

    def phase(self, text: str) -> None:
        """What is being done beside counting; empty for nothing else."""
        self._phase = text

    def line(self) -> str:
        """What would be written now."""
        now_s = time.monotonic()
        if self._ask:
            self._phase = self._ask()
        parts = []
        if self._total:
            parts.append(f"{self._unit} {self._done} of {self._total}".strip())
        parts += [text for text in (self._phase, self._figures) if text]
        made = self._done - self._first
        parts.append(f"{duration_text(now_s - self._began_s)} so far")
        if self._estimates and self._total and made > 0:
            left_s = (now_s - self._estimated_s) / made * (self._total - self._done)
            parts.append(f"about {duration_text(left_s)} left")
        return f"{self._what}: {', '.join(parts)}"

    def _tell(self) -> None:
        while not self._over.wait(self._every_s):
            self._write(self.line())
