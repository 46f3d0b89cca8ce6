"""The line that reports a device's health: once for each change that matters, never flapping.

A device that loses the robot many times a second, as on a machine that is too slow, is reported as
often as a person can use it, and the repeats are counted.
"""

from __future__ import annotations

import re

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns

READY = "ready"
# How long something has lasted grows from poll to poll, and is no other problem.
_DURATION = re.compile(r"\d+(\.\d+)? s\b")


class DeviceLine:
    """Decides what is reported of a device's health, and when.

    The first problem is reported at once, and so is a change for the worse, but no more than once
    in `quiet_s`: those in between are counted and reported with the next one, or with the recovery.
    A recovery is reported once it has lasted for `settled_s`. What was never ready is reported
    again every `remind_s`: whoever waits for it sees nothing else.
    """

    def __init__(
        self, quiet_s: float = 10.0, settled_s: float = 1.0, remind_s: float = 30.0
    ) -> None:
        self._quiet_ns, self._settled_ns = seconds_to_ns(quiet_s), seconds_to_ns(settled_s)
        self._remind_ns = seconds_to_ns(remind_s)
        self._was_ready = False
        self._kind: str | None = None
        self._since_ns = 0
        self._told: str | None = None
        self._worse_told_ns: int | None = None
        self._untold: dict[str, tuple[int, int, str]] = {}

    def update(self, now_ns: int, problem: str) -> str:
        """The line to report now; mostly empty.

        Args:
            now_ns: present time, always on one clock, which moves forward.
            problem: why the device cannot be used, empty while it can; durations in it, such as
                `0.4 s`, may differ from call to call.
        """
        kind = _DURATION.sub("", problem)
        if kind != self._kind:
            self._kind, self._since_ns = kind, now_ns
            if kind:
                count, first_ns, _ = self._untold.get(kind, (0, now_ns, ""))
                self._untold[kind] = (count + 1, first_ns, problem)
        return self._worse(now_ns, kind, problem) if kind else self._better(now_ns)

    def _worse(self, now_ns: int, kind: str, problem: str) -> str:
        told_ns = self._worse_told_ns
        if told_ns is not None and now_ns - told_ns < self._quiet_ns:
            return ""
        if kind not in self._untold:
            return self._reminder(now_ns, problem)
        self._told, self._worse_told_ns = kind, now_ns
        count, first_ns, _ = self._untold.pop(kind)
        return problem + _repeats(count, now_ns - first_ns)

    def _reminder(self, now_ns: int, problem: str) -> str:
        told_ns = self._worse_told_ns
        if self._was_ready or told_ns is None or now_ns - told_ns < self._remind_ns:
            return ""
        self._worse_told_ns = now_ns
        return problem

    def _better(self, now_ns: int) -> str:
        if self._told is not None and (
            not self._told or now_ns - self._since_ns < self._settled_ns
        ):
            return ""
        self._told, self._was_ready = "", True
        before = [
            problem + _repeats(count, now_ns - first_ns)
            for count, first_ns, problem in self._untold.values()
        ]
        self._untold.clear()
        return f"{READY}; before: {'; '.join(before)}" if before else READY


def _repeats(count: int, span_ns: int) -> str:
    if count == 1:
        return ""
    return f" ({count} times in the last {max(1, round(span_ns / NS_PER_S))} s)"
