"""Streams that are silent when a recording is to start: in words, and how long they are waited for.

A recorder refuses to start while a stream is silent. It may be heard again a moment later, so the
node that leads the episodes asks again until a bound, and says so meanwhile.
"""

from __future__ import annotations

import re

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import RobotLearningError

REMEDY = (
    "if this machine is too slow: fewer or smaller cameras, cameras:=none for none, or "
    "headless:=true for no window"
)
REFUSAL = "recording cannot start, a stream is silent: "
_NAME = re.compile(r"(?:^|\), )(\S+) \(")
_TELL_FIRST_S, _TELL_EVERY_S = 1.0, 10.0


def silence_text(stream: str, age_s: float | None, refused: str = "", *, why: str = "") -> str:
    """A silent stream in words.

    >>> silence_text("front", 1.25), silence_text("front", None)
    ('front (silent for 1.2 s)', 'front (nothing received)')

    Args:
        stream: name of the stream.
        age_s: age of the stream's newest sample; None where there is none.
        refused: reason why the stream's last refused sample was refused; empty for none.
        why: every reason in words, `refused` among them; empty where they are not known.
    """
    if age_s is None:
        return f"{stream} ({why or refused or 'nothing received'})"
    why = why or (f"refused: {refused}" if refused else "")
    return f"{stream} (silent for {age_s:.1f} s{f'; {why}' if why else ''})"


def silent_in(refusal: str) -> str:
    """The silent streams that a recorder's refusal names; empty where it has another reason."""
    return refusal.partition(REFUSAL)[2]


class SilentStreamsError(RobotLearningError):
    """Streams were silent for too long.

    Attributes:
        brief: silent streams, in a few words.
    """

    def __init__(self, text: str, silent: str) -> None:
        """Take the text for people, and which streams are silent as `silence_text` tells them."""
        super().__init__(text)
        self.brief = f"{', '.join(_NAME.findall(silent))} silent"


class SilenceWait:
    """Waiting for silent streams until a bound, which is reported.

    Args:
        begun_ns: time at which the waiting begins, on any steady clock.
        timeout_s: longest time to wait.
        resume: command that resumes what ends with the error; empty where somebody is asked to try
            again.
    """

    def __init__(self, begun_ns: int, timeout_s: float, resume: str = "") -> None:
        self._timeout_s, self._resume = timeout_s, resume
        self._end_ns = begun_ns + seconds_to_ns(timeout_s)
        self._tell_ns = begun_ns + seconds_to_ns(_TELL_FIRST_S)

    def update(self, now_ns: int, silent: str) -> str:
        """The line to report while it waits; mostly empty.

        Args:
            now_ns: present time, on the clock of the beginning.
            silent: silent streams in words, with how long each has been silent.

        Raises:
            SilentStreamsError: they were silent for too long.
        """
        if now_ns >= self._end_ns:
            then = (
                f"once it is heard again, continue with: {self._resume}"
                if self._resume
                else f"try again; {REMEDY}"
            )
            text = f"recording could not start for {self._timeout_s:.0f} s: {silent}; {then}"
            raise SilentStreamsError(text, silent)
        if now_ns < self._tell_ns:
            return ""
        self._tell_ns = now_ns + seconds_to_ns(_TELL_EVERY_S)
        left_s = (self._end_ns - now_ns) / NS_PER_S
        return f"recording waits for {silent}; it gives up in {left_s:.0f} s"
