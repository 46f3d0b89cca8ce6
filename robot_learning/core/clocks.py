"""Clocks: time is always passed in, so that the same code runs live, simulated and in tests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

NS_PER_S = 1_000_000_000
FUTURE_TOLERANCE_S = 0.1
"""How far ahead of its receipt a sample may be stamped, as clocks of two machines differ."""


def seconds_to_ns(seconds: float) -> int:
    """Seconds as whole nanoseconds, rounded to the nearest."""
    return round(seconds * NS_PER_S)


def is_future(
    stamp_ns: int, now_ns: int, tolerance_ns: int = seconds_to_ns(FUTURE_TOLERANCE_S)
) -> bool:
    """Whether a stamp is further ahead of now than clocks may differ, all in nanoseconds.

    Args:
        stamp_ns: stamp to judge.
        now_ns: present time, on the clock that the stamp is from.
        tolerance_ns: how far the clocks of two machines may differ.
    """
    return stamp_ns - now_ns > tolerance_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """One moment on two clocks, in nanoseconds.

    Attributes:
        steady_ns: time on the steady clock of this process; for durations.
        ros_ns: time on the ROS clock, which stamps are taken from; it can stop and step.
    """

    steady_ns: int
    ros_ns: int

    @classmethod
    def lockstep(cls, now_ns: int) -> Instant:
        """A moment of simulation in lockstep, where one clock is both."""
        return cls(steady_ns=now_ns, ros_ns=now_ns)


class Clock(Protocol):
    """Anything that tells the time in nanoseconds."""

    def now_ns(self) -> int:
        """The current time, in nanoseconds since an epoch of the clock's own."""
        ...


class SteadyClock:
    """The machine's monotonic clock: never steps, never stops. For watchdogs and pacing."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary start."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that moves only when it is set: simulation time and tests."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """The time that was last set."""
        return self._now_ns

    def set_ns(self, now_ns: int) -> None:
        """Move to `now_ns`; backwards is allowed, as ROS time may step back."""
        self._now_ns = now_ns

    def advance_ns(self, step_ns: int) -> None:
        """Move on by `step_ns`."""
        self._now_ns += step_ns
