"""Which keys are down, so that no key can ever stay stuck."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from robot_learning.core.clocks import seconds_to_ns

SUSPEND_GAP_S = 0.3
"""A pause between polls longer than this means that the process was suspended or starved."""
SETTLE_S = 0.1
"""Time after a loss during which every event is dropped: they were queued while nobody looked."""


@dataclass(frozen=True, slots=True)
class KeyReading:
    """Keys that are down, those that went down since the last poll (oldest first).

    `trusted` is False after a loss, and for a moment after the process was suspended.
    """

    down: frozenset[int]
    pressed: tuple[int, ...]
    trusted: bool


class KeyTracker:
    """Physical keys by code: presses and releases from a listener thread, polls from another.

    A key counts as down from its press to its release. Auto-repeated presses are ignored. At
    each poll the real state of the keyboard corrects what was missed. After a loss (see `poll`)
    everything counts as up, and what is still physically down must be released before it
    counts again. What is pressed together with a modifier was meant for the window system or
    the terminal (Alt+Tab, Ctrl+C), and is ignored.

    Args:
        modifiers: codes of the modifier keys.
    """

    def __init__(self, modifiers: frozenset[int] = frozenset()) -> None:
        self._modifiers = modifiers
        self._lock = threading.Lock()
        self._down: set[int] = set()
        self._tapped: set[int] = set()
        self._pressed: list[int] = []
        self._blocked: set[int] = set()
        self._seen: set[int] = set()
        self._last_poll_ns: int | None = None
        self._settled_ns = 0

    def press(self, code: int) -> bool:
        """A key went down, or its press was repeated; whether it is one that counts."""
        with self._lock:
            if code in self._blocked or code in self._down:
                return False
            if code not in self._modifiers and self._down & self._modifiers:
                self._blocked.add(code)
                return False
            self._down.add(code)
            # `physical` of the coming poll may be older than this press: judge it from the next.
            self._seen.discard(code)
            self._tapped.add(code)
            self._pressed.append(code)
            return True

    def release(self, code: int) -> None:
        """A key went up."""
        with self._lock:
            self._down.discard(code)
            self._blocked.discard(code)

    def poll(self, now_ns: int, trusted: bool, physical: Collection[int] | None) -> KeyReading:
        """The keys now. A key that was tapped between two polls is reported as down once.

        Args:
            now_ns: steady time.
            trusted: False while the events cannot be trusted: another window has the keyboard,
                or the connection is lost.
            physical: codes that are really down, None when the backend cannot tell.
        """
        with self._lock:
            last_ns, self._last_poll_ns = self._last_poll_ns, now_ns
            if last_ns is not None and not 0 <= now_ns - last_ns <= seconds_to_ns(SUSPEND_GAP_S):
                self._settled_ns = now_ns + seconds_to_ns(SETTLE_S)
            if not trusted or now_ns < self._settled_ns:
                self._release_all(physical)
                return KeyReading(frozenset(), (), False)
            if physical is not None:
                self._blocked &= set(physical)
                self._down -= self._seen - set(physical)
            self._seen = set(self._down)
            down = frozenset(self._down | self._tapped)
            pressed = tuple(self._pressed)
            self._tapped.clear()
            self._pressed.clear()
            return KeyReading(down, pressed, True)

    def _release_all(self, physical: Collection[int] | None) -> None:
        self._blocked |= self._down
        if physical is not None:
            self._blocked = set(physical)
        self._down.clear()
        self._seen.clear()
        self._tapped.clear()
        self._pressed.clear()
