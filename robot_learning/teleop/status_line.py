"""The operator's status line: who is in control, how fresh everything is, what is in the way."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from robot_learning.core.progress import EVERY_S

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
# What a narrow terminal must show of the line, most important first; the rest comes in its order.
_RANKS = ("mode", "next_key", "refused", "episode", "recording", "problem", "alarm")
# Fewer columns than this say nothing of what is cut off in them.
_FEWEST_COLUMNS = 8


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


def render(status: Status, width: int | None = None) -> Text:
    """The line: who is in control, what is recorded, what is wrong, and what to press.

    In few columns the mode, the next key and the number of the episode stay, or why nothing is
    recorded; what is wrong is shortened, and how fresh everything is is left out.

    Args:
        status: what the line shows.
        width: number of columns that there are; None for as many as it takes.
    """
    parts = _parts(status)
    line = Text(no_wrap=True, overflow="ellipsis")
    for part in parts.values() if width is None else _fitting(parts, width):
        if line:
            line.append(SEPARATOR, "dim")
        line.append_text(part)
    return line


def _parts(status: Status) -> dict[str, Text]:
    """What there is to show, in the order of the line."""
    mode = status.mode or NO_ARBITER
    engaged = "engaged" if status.engaged and mode != "HUMAN" else ""
    running = status.recording.startswith(RUNNING)
    noise, noise_style = ("ON", "bold magenta") if status.noise else ("set", "dim")
    rates = f"device {_rate(status.rate_hz)}, arbiter {_rate(status.arbiter_rate_hz)} Hz"
    parts = {
        "mode": Text(f" {mode} ", MODE_STYLES.get(mode, _UNKNOWN_STYLE)),
        "refused": Text(status.refused, "bold white on red"),
        "engaged": Text(engaged, "bold"),
        "recording": Text(status.recording, "bold red" if running else "dim"),
        "problem": Text(status.problem, "bold red"),
        "next_key": Text(status.next_key, "bold"),
        "alarm": Text(status.alarm, "bold white on red"),
        "episode": Text(status.episode),
        "keys": Text(status.keys, "bold"),
        "reason": Text(status.reason, "italic"),
        **{f"limit {i}": Text(limit, "bold yellow") for i, limit in enumerate(status.limits)},
        **{f"note {i}": Text(note, "cyan") for i, note in enumerate(status.notes)},
        "noise": Text("" if status.noise is None else f"noise {noise}", noise_style),
        "ages": _ages(status.ages_s),
        "rates": Text(rates, "dim"),
    }
    return {name: part for name, part in parts.items() if part}


def _fitting(parts: Mapping[str, Text], width: int) -> list[Text]:
    """What has room in so many columns, in the order of the line; the last of it may be cut."""
    kept: dict[str, Text] = {}
    left = width
    for name in sorted(parts, key=lambda name: (*_RANKS, name).index(name)):
        part = parts[name].copy()
        room = left - len(SEPARATOR) * bool(kept)
        is_whole = part.cell_len <= room
        if not is_whole and room < _FEWEST_COLUMNS:
            break
        part.truncate(room, overflow="ellipsis")
        kept[name] = part
        if not is_whole:
            break
        left = room - part.cell_len
    return [kept[name] for name in parts if name in kept]


def _ages(ages_s: Mapping[str, float]) -> Text:
    """How long ago each was heard, red when that is too long."""
    text = Text()
    for name, age_s in ages_s.items():
        text.append(", " if text else "", "dim")
        text.append(f"{name} ", "dim")
        never = math.isnan(age_s)
        text.append(_age(age_s), "dim" if never else "red" if age_s > _STALE_S else "")
    return text


def _age(age_s: float) -> str:
    """Mostly of one length, so that the line does not jump about."""
    return "never" if math.isnan(age_s) else f"{min(age_s, 99.0):.2f} s"


def _rate(rate_hz: float) -> str:
    return "--" if math.isnan(rate_hz) else f"{rate_hz:.0f}"


@dataclass
class StatusTerminal:
    """Shows the line in place, in a terminal whose typed keys are kept off the screen.

    The keys that drive the robot are typed into this terminal too. They must not show up in it,
    nor run as a command in the shell afterwards. What is no terminal gets a line every few seconds
    of an episode.

    Attributes:
        console: console that the line is written to.
        every_s: seconds between the lines of what is no terminal.
    """

    console: Console = field(default_factory=Console)
    every_s: float = EVERY_S
    _saved: list[Any] | None = None
    _told_s: float = field(default_factory=time.monotonic)

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
        """Replace the line; where this is no terminal, add one now and then while recording."""
        if self.console.is_terminal:
            line = render(status, self.console.width - 1)
            self.console.file.write("\r\x1b[2K")
            self.console.print(line, end="")
        elif status.recording.startswith(RUNNING):
            self._tell(status)

    def _tell(self, status: Status) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= self.every_s:
            self._told_s = now_s
            self.print(render(status).plain.strip())

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
