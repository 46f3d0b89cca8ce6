"""How many threads PyTorch's operations take.

A small network computes for some microseconds an operation, after which all threads wait for each
other. Where something else runs on the machine, too, the one that lost its core is waited for, and
two threads may be ten times slower than one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

# A number of threads is tried for so long, or for so many steps, the first one not counted.
_TRIAL_S, _TRIAL_STEPS = 0.3, 30
# More threads are taken only if a step is shorter by this share: they are missing elsewhere.
_GAIN = 0.1
# Steps that take so many times as long as when it was measured mean that the machine is busy.
_SLOWER = 1.5
_REMEASURED_EVERY_S = 60.0
_REMEASURED_NOT_BEFORE_S = 3.0
# Measuring anew costs less than this share of the time.
_SHARE = 0.1
_SMOOTHING = 0.9


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are fastest so, and their results do not depend on the machine's cores."""
    with threads_restored():
        torch.set_num_threads(1)
        yield


@contextmanager
def threads_restored() -> Iterator[None]:
    """Leave the number of threads as it was."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class FastestThreads:
    """Finds the number of threads with which steps are shortest, while these steps are made.

    Call `begin` before each step and `end` after it. It measures at first, again when steps become
    slower than they were, and once a minute. With a single thread to choose from it does nothing.

    Attributes:
        chosen: the number of threads; while it is measured, the one before.
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
            most: threads that may be taken.
            first: to begin with, without measuring; 0 to measure at once.
            clock: seconds.
            set_threads: how they are set.
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
        """Whether numbers of threads are being tried."""
        return bool(self._waiting)

    def begin(self) -> None:
        """A step begins."""
        if not self._is_set:
            self._set(self._waiting[0] if self._waiting else self.chosen)
            self._is_set = True
        self._began_s = self._clock()

    def end(self) -> bool:
        """A step has ended; True when a number of threads was chosen by it."""
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
        """Whether the steps so far tell; long ones need no first step for warming up."""
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
        # More threads than those that were slower already would be slower still.
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
