"""Paced loops on the steady clock, and the figures that tell how well they kept their rate."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from robot_learning.core.clocks import NS_PER_S, Clock, SteadyClock

# Enough for a waking control loop to be served at once, little enough to keep frames coming.
NICENESS = 5
# Above every ordinary thread; among each other the shorter step goes first, and what only
# proposes goes last.
POLICY_PRIORITY, ROBOT_PRIORITY, ARBITER_PRIORITY = 5, 10, 20


def give_way() -> None:
    """Let the calling thread yield wherever a control loop wants the same core.

    On Linux niceness belongs to the thread, and threads that it starts inherit it. Elsewhere it
    is the whole process's, control loop included, so nothing is done.
    """
    if sys.platform == "linux":
        os.nice(NICENESS)


def take_precedence(priority: int) -> bool:
    """Ask for real-time scheduling of the calling thread; tells whether it was granted.

    A waking thread of the ordinary kind may have to wait for the slice of another to end, some
    milliseconds, however idle the rest of the machine is. What it starts later is ordinary again.
    Needs root, CAP_SYS_NICE or a limit `rtprio` of the user, as ros2_control does.
    """
    if sys.platform != "linux":
        return False
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return False
    return True


def give_up_precedence() -> None:
    """Be scheduled as an ordinary thread again; nothing happens where that was so all along."""
    if sys.platform == "linux" and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@dataclass(frozen=True, slots=True)
class RateReport:
    """How a periodic activity ran over its last window.

    `jitter_p99_ms` is the 99th percentile of |period - nominal period|; `missed` counts whole
    periods that were skipped since the start.
    """

    rate_hz: float
    jitter_p50_ms: float
    jitter_p99_ms: float
    jitter_max_ms: float
    ticks: int
    missed: int


class RateMeter:
    """Measures the rate and jitter of a periodic event over the last `window` periods."""

    def __init__(self, nominal_hz: float, window: int = 1000) -> None:
        self._nominal_s = 1.0 / nominal_hz
        self._periods_s: deque[float] = deque(maxlen=window)
        self._last_ns: int | None = None
        self.ticks = 0
        self.missed = 0

    def tick(self, now_ns: int) -> None:
        """Note that the event happened at `now_ns` (steady clock)."""
        if self._last_ns is not None:
            self._periods_s.append((now_ns - self._last_ns) / NS_PER_S)
        self._last_ns = now_ns
        self.ticks += 1

    def pause(self) -> None:
        """The event was not expected for a while: the next period begins with the next one."""
        self._last_ns = None

    def report(self) -> RateReport:
        """The figures so far; NaN while fewer than two ticks were seen."""
        if not self._periods_s:
            nan = float("nan")
            return RateReport(nan, nan, nan, nan, self.ticks, self.missed)
        periods_s = np.fromiter(self._periods_s, float)
        jitter_ms = np.abs(periods_s - self._nominal_s) * 1e3
        p50, p99 = np.percentile(jitter_ms, [50, 99])
        return RateReport(
            rate_hz=float(1.0 / periods_s.mean()),
            jitter_p50_ms=float(p50),
            jitter_p99_ms=float(p99),
            jitter_max_ms=float(jitter_ms.max()),
            ticks=self.ticks,
            missed=self.missed,
        )


class Pacer:
    """Holds a loop at `rate_hz` without drift.

    A loop that falls behind by more than one period skips the missed ones (and counts them)
    instead of running a burst to catch up, since a burst would command the robot faster than
    its rate.
    """

    def __init__(self, rate_hz: float, clock: Clock | None = None, *, paced: bool = True) -> None:
        """Begin with the first tick due at once.

        Args:
            rate_hz: ticks a second.
            clock: the steady clock that the loop keeps time by; the machine's own by default.
            paced: False makes every tick due at once, for a loop that runs as fast as it can;
                `rate_hz` is then only what its meter compares with.
        """
        self.period_ns = round(NS_PER_S / rate_hz)
        self.meter = RateMeter(rate_hz)
        self._clock = clock or SteadyClock()
        self._paced = paced
        self._next_ns: int | None = None

    def remaining_s(self) -> float:
        """Seconds until the next tick is due; 0 when it is due now or the loop has not begun."""
        if self._next_ns is None or not self._paced:
            return 0.0
        return max(0.0, (self._next_ns - self._clock.now_ns()) / NS_PER_S)

    @property
    def is_due(self) -> bool:
        """Whether the next tick is due now."""
        if self._next_ns is None or not self._paced:
            return True
        return self._next_ns <= self._clock.now_ns()

    def tick(self) -> None:
        """Note that the tick that is due begins now; missed ones are counted and skipped."""
        now_ns = self._clock.now_ns()
        if self._next_ns is None or not self._paced:
            self._next_ns = now_ns
        late_periods = (now_ns - self._next_ns) // self.period_ns
        if late_periods > 0:
            self.meter.missed += late_periods
            self._next_ns += late_periods * self.period_ns
        self._next_ns += self.period_ns
        self.meter.tick(now_ns)

    def restart(self) -> None:
        """Begin again, with a tick due at once; what passed since the last one was not missed."""
        self._next_ns = None
        self.meter.pause()

    def wait(self) -> None:
        """Sleep until the next tick is due, and begin it. The first call returns at once."""
        remaining_s = self.remaining_s()
        if remaining_s > 0.0:
            time.sleep(remaining_s)
        self.tick()
