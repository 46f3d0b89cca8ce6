"""How long something takes: figures for people, and the delay that planning assumes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

RECENT = 10


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Milliseconds over the last measurements; NaN while there are none."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int


class Latency:
    """Durations of the last `window` events, in seconds."""

    def __init__(self, window: int = 1000) -> None:
        self._seconds: deque[float] = deque(maxlen=window)
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._count = 0

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self._seconds.append(seconds)
        self._recent.append(seconds)
        self._count += 1

    def clear(self) -> None:
        """Forget everything, because something else is measured from now on."""
        self._seconds.clear()
        self._recent.clear()
        self._count = 0

    def expected_s(self, otherwise: float = 0.0) -> float:
        """The delay to plan with: the longest of the last ten; `otherwise` before the first.

        The longest rather than the mean, since a chunk that comes too late stops the arm, while
        one that comes early costs nothing (as in Black et al. 2025, section 4.2).
        """
        return max(self._recent, default=otherwise)

    def report(self) -> LatencyReport:
        """The figures so far."""
        if not self._seconds:
            nan = float("nan")
            return LatencyReport(nan, nan, nan, 0)
        milliseconds = np.fromiter(self._seconds, float) * 1e3
        p50, p99 = np.percentile(milliseconds, [50, 99])
        return LatencyReport(float(p50), float(p99), float(milliseconds.max()), self._count)
