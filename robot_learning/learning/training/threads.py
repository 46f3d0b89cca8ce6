"""How many threads PyTorch's operations use.

An operation of a small network takes some microseconds, after which all threads wait for each
other. Where other programs run as well, they wait for the thread that lost its core, and two
threads may be ten times slower than one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

# Each number of threads is tried for this time or this many steps, not counting the first step.
_TRIAL_S, _TRIAL_STEPS = 0.3, 30
# More threads are used only if a step gets shorter by this share, as other work needs cores too.
_GAIN = 0.1
# Steps that take this many times as long as when measured mean that the machine is busy.
_SLOWER = 1.5
_REMEASURED_EVERY_S = 60.0
_REMEASURED_NOT_BEFORE_S = 3.0
# Measuring again costs less than this share of the time.
_SHARE = 0.1
_SMOOTHING = 0.9


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread: fastest for small networks, with results independent of the core count."""
    with threads_restored():
        torch.set_num_threads(1)
        yield


@contextmanager
def threads_restored() -> Iterator[None]:
    """Restore the number of threads at the end."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class FastestThreads:
    """Finds the number of threads with the shortest steps, while training steps are made.

    Call `begin` before each step and `end` after it. It measures at the start, again when steps
    become slower, and once a minute. With a single thread available it does nothing.

    Attributes:
        chosen: number of threads; the previous one while it is being measured.
    """

    def __init__(
        self,
        most: int,
        first: int = 0,
        *,
        clock: Callable[[], float] = time.perf_counter,
        set_threads: Callable[[int], None] = torch.set_num_threads,
    ) -> None:
        """Prepare; nothing is set yet.

        Args:
            most: largest number of threads.
            first: number of threads to begin with, without measuring; 0 to measure at once.
            clock: returns the present time in seconds.
            set_threads: sets the number of threads.
        """
        self._choices = sorted({1, *(max(1, most >> shift) for shift in range(most.bit_length()))})
        self._clock, self._set = clock, set_threads
        self.chosen = min(first, most) if first else most
        self._waiting: list[int] = []
        self._found: dict[int, float] = {}
        self._trial: list[float] = []
        self._usual_s = self._now_s = self._spent_s = 0.0
        self._measured_s = self._began_s = clock()
        self._is_set = False
        if not first:
            self._measure()

    @property
    def is_measuring(self) -> bool:
        """Whether different numbers of threads are being tried."""
        return bool(self._waiting)

    def begin(self) -> None:
        """A step begins."""
        if not self._is_set:
            self._set(self._waiting[0] if self._waiting else self.chosen)
            self._is_set = True
        self._began_s = self._clock()

    def end(self) -> bool:
        """A step has ended; True when a number of threads has just been chosen."""
        if len(self._choices) == 1:
            return False
        now_s = self._clock()
        took_s = now_s - self._began_s
        if self._waiting:
            self._spent_s += took_s
            self._trial.append(took_s)
            return self._is_tried() and self._next(now_s)
        if not self._usual_s:
            self._usual_s = self._now_s = took_s
        self._now_s = _SMOOTHING * self._now_s + (1 - _SMOOTHING) * took_s
        wait_s = now_s - self._measured_s
        is_slower = self._now_s > _SLOWER * self._usual_s
        least_s = max(_REMEASURED_NOT_BEFORE_S, self._spent_s / _SHARE)
        if wait_s > (least_s if is_slower else max(2 * least_s, _REMEASURED_EVERY_S)):
            self._measure()
        return False

    def _measure(self) -> None:
        if len(self._choices) > 1:
            self._waiting, self._found, self._trial = list(self._choices), {}, []
            self._spent_s, self._is_set = 0.0, False

    def _is_tried(self) -> bool:
        """Whether enough steps were timed; long steps need no warm-up step before."""
        if self._trial[0] > _TRIAL_S:
            return True
        return len(self._trial) > 2 and (
            sum(self._trial[1:]) >= _TRIAL_S or len(self._trial) > _TRIAL_STEPS
        )

    def _next(self, now_s: float) -> bool:
        steps = self._trial[1:] or self._trial
        count = self._waiting.pop(0)
        self._found[count], self._trial, self._is_set = sum(steps) / len(steps), [], False
        best = self._best()
        # Even more threads than a number that was already slower would be slower still.
        if self._waiting and best == count:
            return False
        self._waiting = []
        self.chosen, self._measured_s = best, now_s
        self._usual_s = self._now_s = self._found[best]
        return True

    def _best(self) -> int:
        best = min(self._found)
        for count in sorted(self._found):
            if self._found[count] < (1 - _GAIN) * self._found[best]:
                best = count
        return best
