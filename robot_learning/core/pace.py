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
        rate_hz: rate that the loop reached.
        nominal_hz: rate at which the loop is meant to run.
        is_slow: whether the loop cannot keep its nominal rate.
    """

    rate_hz: float
    nominal_hz: float
    is_slow: bool

    def __str__(self) -> str:
        return f"{self.rate_hz:.3g} of {self.nominal_hz:.3g} Hz"

    @property
    def share(self) -> float:
        """Of the rate that it is meant to run at."""
        return self.rate_hz / self.nominal_hz


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
            pacer: pacer of the loop; a new one begins a new window.
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
        self._slow: dict[str, tuple[int, Pace]] = {}

    def note(self, name: str, pace: Pace, now_ns: int) -> None:
        """What a loop says of itself.

        Args:
            name: name of the loop's node.
            pace: how the loop ran over its last window.
            now_ns: steady time.
        """
        if pace.is_slow:
            self._slow[name] = (now_ns, pace)
        else:
            self._slow.pop(name, None)

    def line(self, now_ns: int) -> str:
        """One line for people; empty while all loops keep their rates.

        >>> loops = SlowLoops()
        >>> loops.note("robot_node", Pace(43.0, 100.0, is_slow=True), now_ns=0)
        >>> loops.line(0).partition(";")[0]
        'too slow: robot_node 43 of 100 Hz'
        """
        if not (slow := self._heard(now_ns)):
            return ""
        named = ", ".join(f"{name} {pace}" for name, pace in sorted(slow.items()))
        return f"too slow: {named}; {ADVICE}"

    def brief(self, now_ns: int) -> str:
        """The slowest one, and how many more there are, in a few words; empty where none is slow.

        >>> loops = SlowLoops()
        >>> loops.note("robot_node", Pace(43.0, 100.0, is_slow=True), now_ns=0)
        >>> loops.brief(0)
        'slow: robot 43/100 Hz'
        """
        if not (slow := self._heard(now_ns)):
            return ""
        name, pace = min(slow.items(), key=lambda item: item[1].share)
        more = f" +{len(slow) - 1}" if len(slow) > 1 else ""
        # Short, as the line is to fit in 80 columns.
        rate = f"{pace.rate_hz:.0f}" if pace.rate_hz >= 10 else f"{pace.rate_hz:.2g}"
        rates = f"{rate}/{pace.nominal_hz:.3g} Hz"
        return f"slow: {name.removesuffix('_node')} {rates}{more}"

    def _heard(self, now_ns: int) -> dict[str, Pace]:
        """Those that were heard lately; the others are forgotten."""
        limit_ns = now_ns - self._forget_after_ns
        self._slow = {name: one for name, one in self._slow.items() if one[0] >= limit_ns}
        return {name: pace for name, (_, pace) in self._slow.items()}
