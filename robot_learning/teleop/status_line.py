"""The operator's status line: who is in control, how fresh everything is, what is in the way."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

MODE_STYLES: Mapping[str, str] = {
    "HUMAN": "bold white on dark_green",
    "POLICY": "bold white on blue",
    "HOLD": "bold black on yellow",
    "FAULT": "bold white on red",
    "DISABLED": "bold white on grey37",
}
NO_ARBITER = "NO ARBITER"
RUNNING = "REC"
SEPARATOR = " │ "
_UNKNOWN_STYLE = "bold white on magenta"
_STALE_S = 0.25


@dataclass(frozen=True, slots=True)
class Status:
    """What the line shows.

    Attributes:
        mode: the arbiter's mode; None while it was not heard.
        engaged: whether the operator holds the robot.
        ages_s: seconds since each source was heard; NaN for never.
        limits: what holds the robot back, most important first.
        noise: whether DART noise is added now; None where there is none, or nobody knows.
        rate_hz: measured rate of the teleoperation loop; NaN where it is not known.
        arbiter_rate_hz: measured rate of the arbiter's loop; NaN where it is not known.
        notes: what is selected on the device, or why it refuses.
        problem: why the device cannot be used; empty while it can.
        reason: why the robot is not driven; empty while it is.
        recording: what the recorder does; empty without a recorder.
        refused: why nothing is recorded although a start was asked for; empty otherwise.
        episode: number of the episode, and how many are wanted; empty where nobody counts.
        next_key: what to press now, in a few words; empty where nothing is asked for.
        keys: other keys that may be pressed, in a few words; empty where there are none.
        alarm: what is wrong with the recording; empty when all is well.
    """

    mode: str | None
    engaged: bool
    ages_s: Mapping[str, float]
    limits: tuple[str, ...] = ()
    noise: bool | None = None
    rate_hz: float = math.nan
    arbiter_rate_hz: float = math.nan
    notes: tuple[str, ...] = ()
    problem: str = ""
    reason: str = ""
    recording: str = ""
    refused: str = ""
    episode: str = ""
    next_key: str = ""
    keys: str = ""
    alarm: str = ""


def render(status: Status) -> Text:
    """The line: what matters most comes first, as a narrow terminal cuts the end off.

    Before the 80th column lie the mode, what is recorded or why nothing is, what is wrong, what to
    press, and mostly which episode it is; how fresh everything is comes after them.
    """
    mode = status.mode or NO_ARBITER
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f" {mode} ", MODE_STYLES.get(mode, _UNKNOWN_STYLE))
    _append(line, status.refused, "bold white on red")
    if status.engaged and mode != "HUMAN":
        _append(line, "engaged", "bold")
    running = status.recording.startswith(RUNNING)
    _append(line, status.recording, "bold red" if running else "dim")
    _append(line, status.problem, "bold red")
    _append(line, status.next_key, "bold")
    _append(line, status.alarm, "bold white on red")
    _append(line, status.episode, "")
    _append(line, status.keys, "bold")
    _append(line, status.reason, "italic")
    for limit in status.limits:
        _append(line, limit, "bold yellow")
    for note in status.notes:
        _append(line, note, "cyan")
    if status.noise is not None:
        word, style = ("ON", "bold magenta") if status.noise else ("set", "dim")
        _append(line, f"noise {word}", style)
    _append_ages(line, status.ages_s)
    rates = f"device {_rate(status.rate_hz)}, arbiter {_rate(status.arbiter_rate_hz)} Hz"
    _append(line, rates, "dim")
    return line


def _append(line: Text, text: str, style: str) -> None:
    if text:
        line.append(SEPARATOR, "dim")
        line.append(text, style)


def _append_ages(line: Text, ages_s: Mapping[str, float]) -> None:
    """How long ago each was heard, red when that is too long."""
    for number, (name, age_s) in enumerate(ages_s.items()):
        line.append(", " if number else SEPARATOR, "dim")
        line.append(f"{name} ", "dim")
        never = math.isnan(age_s)
        line.append(_age(age_s), "dim" if never else "red" if age_s > _STALE_S else "")


def _age(age_s: float) -> str:
    """Mostly of one length, so that the line does not jump about."""
    return "never" if math.isnan(age_s) else f"{min(age_s, 99.0):.2f} s"


def _rate(rate_hz: float) -> str:
    return "--" if math.isnan(rate_hz) else f"{rate_hz:.0f}"


@dataclass
class StatusTerminal:
    """Shows the line in place, in a terminal whose typed keys are kept off the screen.

    The keys that drive the robot are typed into this terminal too. They must not show up in it,
    nor run as a command in the shell afterwards.
    """

    console: Console = field(default_factory=Console)
    _saved: list[Any] | None = None

    def __enter__(self) -> StatusTerminal:
        if sys.stdin is not None and sys.stdin.isatty():
            import termios

            self._saved = termios.tcgetattr(sys.stdin)
            quiet = termios.tcgetattr(sys.stdin)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.console.print()
        if self._saved is not None:
            import termios

            # TCSAFLUSH throws away what was typed.
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._saved)
            self._saved = None

    def show(self, status: Status) -> None:
        """Replace the line."""
        if self.console.is_terminal:
            line = render(status)
            line.truncate(self.console.width - 1, overflow="ellipsis")
            self.console.file.write("\r\x1b[2K")
            self.console.print(line, end="")

    def clear(self) -> None:
        """Take the line away until it is shown again: something else is about to be written."""
        if self.console.is_terminal:
            self.console.file.write("\r\x1b[2K")
            self.console.file.flush()

    def print(self, text: str) -> None:
        """Print something that stays, above the line."""
        self.clear()
        # A file has its lines whole, and a terminal breaks them itself.
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
