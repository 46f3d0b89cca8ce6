"""How far a loop falls behind its rate: a state with hysteresis, and a line about it for people."""

from __future__ import annotations

from dataclasses import dataclass

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.pacing import Pacer

WINDOW_NS = NS_PER_S
SLOW_BELOW, WELL_FROM = 0.9, 0.95
"""Shares of the periods that a loop ran in: below the one it is slow, from the other well again."""
ADVICE = "close other programs, or use fewer cameras or a lower rate"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a loop ran over its last window.

    Attributes:
        rate_hz: what it reached.
        nominal_hz: what it is meant to run at.
        is_slow: whether it cannot keep that.
    """

    rate_hz: float
    nominal_hz: float
    is_slow: bool

    def __str__(self) -> str:
        return f"{self.rate_hz:.3g} of {self.nominal_hz:.3g} Hz"


class PaceMeter:
    """Judges a loop's pacer once in each window."""

    def __init__(self) -> None:
        self._pacer: Pacer | None = None
        self._ticks = self._missed = 0
        self._begun_ns = 0
        self._is_slow = False

    def update(self, pacer: Pacer | None, now_ns: int) -> Pace | None:
        """The pace over the window that ends now; None within one, or while nothing is paced.

        Args:
            pacer: of the loop; another one than before begins a new window.
            now_ns: steady time.
        """
        if pacer is not self._pacer or pacer is None:
            self._pacer, self._is_slow = pacer, False
            self._begin(now_ns)
            return None
        if now_ns - self._begun_ns < WINDOW_NS:
            return None
        ticks = pacer.meter.ticks - self._ticks
        missed = pacer.meter.missed - self._missed
        share = ticks / max(1, ticks + missed)
        self._is_slow = share < (WELL_FROM if self._is_slow else SLOW_BELOW)
        rate_hz = ticks * NS_PER_S / (now_ns - self._begun_ns)
        self._begin(now_ns)
        return Pace(rate_hz, NS_PER_S / pacer.period_ns, self._is_slow)

    def _begin(self, now_ns: int) -> None:
        self._begun_ns = now_ns
        if self._pacer is not None:
            self._ticks, self._missed = self._pacer.meter.ticks, self._pacer.meter.missed


class SlowLoops:
    """Which loops of a graph say that they are slow, as far as was heard lately."""

    def __init__(self, forget_after_ns: int = 3 * WINDOW_NS) -> None:
        self._forget_after_ns = forget_after_ns
        self._slow: dict[str, tuple[int, str]] = {}

    def note(self, name: str, is_slow: bool, text: str, now_ns: int) -> None:
        """What a loop says of itself.

        Args:
            name: of the loop's node.
            is_slow: whether it cannot keep its rate.
            text: the rates, as `str(Pace)`.
            now_ns: steady time.
        """
        if is_slow:
            self._slow[name] = (now_ns, text)
        else:
            self._slow.pop(name, None)

    def line(self, now_ns: int) -> str:
        """One line for people; empty while all loops keep their rates.

        >>> loops = SlowLoops()
        >>> loops.note("robot_node", True, "43 of 100 Hz", now_ns=0)
        >>> loops.line(0).partition(";")[0]
        'too slow: robot_node 43 of 100 Hz'
        """
        limit_ns = now_ns - self._forget_after_ns
        self._slow = {name: one for name, one in self._slow.items() if one[0] >= limit_ns}
        if not self._slow:
            return ""
        named = ", ".join(f"{name} {text}" for name, (_, text) in sorted(self._slow.items()))
        return f"too slow: {named}; {ADVICE}"
