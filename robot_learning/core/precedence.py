"""Real-time scheduling of one loop, given up again where others would starve by it.

A loop at real-time priority runs before every ordinary thread of the machine: before the
middleware's own threads, which carry its messages, and before the nodes that are ordinary. Where
the cores are full, that turns slow into dead.
"""

from __future__ import annotations

import threading
import time

from robot_learning.core.pacing import give_up_precedence, take_precedence

LARGEST_SHARE = 0.5
"""Of a core: a loop that takes more leaves too little to others."""
WINDOW_S = 1.0
_WATCH_S = 0.1
STARVED_S = 0.25
"""An ordinary thread that wakes later than this has lacked a core."""
STARVED_TIMES = 3
"""That often within a window is no accident."""


class Precedence:
    """Takes real-time scheduling for the calling thread, and watches what it costs.

    An ordinary thread of the same process stands for all others: it asks to be woken ten times a
    second, and notes how late that happens.
    """

    def __init__(self) -> None:
        self._held = False
        self._begun_s = self._cpu_s = 0.0
        self._starved = 0
        self._ended = threading.Event()

    def take(self, priority: int) -> bool:
        """Ask for it; whether it was granted."""
        # Begun before, the watching thread stays an ordinary one.
        threading.Thread(target=self._watch, name="starvation watch", daemon=True).start()
        self._held = take_precedence(priority)
        self._begin_window()
        if not self._held:
            self._ended.set()
        return self._held

    def review(self) -> str:
        """Give it up where it costs too much; why, once, and empty otherwise.

        To be called by the thread that took it, about as often as its loop turns.
        """
        passed_s = time.monotonic() - self._begun_s
        if not self._held or passed_s < WINDOW_S:
            return ""
        share = (time.thread_time() - self._cpu_s) / passed_s
        reason = ""
        if share > LARGEST_SHARE:
            reason = f"its loop takes {share:.0%} of a core, more than {LARGEST_SHARE:.0%}"
        elif self._starved >= STARVED_TIMES:
            reason = f"ordinary threads waited for a core longer than {STARVED_S:g} s"
        self._begin_window()
        if reason:
            self.give_up()
        return reason

    def give_up(self) -> None:
        """Be an ordinary thread again."""
        if self._held:
            give_up_precedence()
        self._held = False
        self._ended.set()

    def _begin_window(self) -> None:
        self._begun_s, self._cpu_s = time.monotonic(), time.thread_time()
        self._starved = 0

    def _watch(self) -> None:
        due_s = time.monotonic() + _WATCH_S
        while not self._ended.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            if now_s - due_s > STARVED_S:
                self._starved += 1
            due_s = now_s + _WATCH_S
