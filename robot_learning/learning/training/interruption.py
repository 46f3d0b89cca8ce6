"""Ctrl-C in a training: it takes effect between two steps, so that the state can be saved."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Meanwhile SIGTERM does what Ctrl-C does: the state is saved, and the log says so.

    Where somebody else handles it everything stays as it is, and so it does beside other processes
    of the same training, which would be waited for in vain.
    """
    usual = signal.getsignal(signal.SIGTERM)
    is_alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and is_alone and usual is signal.SIG_DFL):
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


class Interruption:
    """Defers Ctrl-C while a step is made; a second one ends the training at once."""

    def __init__(self) -> None:
        self.asked = False
        self._held_back = False

    @contextmanager
    def watched(self, enabled: bool = True) -> Iterator[None]:
        """Watch for as long as the block runs.

        Without `enabled`, outside the main thread, and where the signal has another handler,
        nothing changes.
        """
        usual = signal.default_int_handler
        is_main = threading.current_thread() is threading.main_thread()
        if not (enabled and is_main and signal.getsignal(signal.SIGINT) is usual):
            yield
            return
        signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """A block that Ctrl-C does not interrupt."""
        self._held_back = True
        try:
            yield
        finally:
            self._held_back = False

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked or not self._held_back:
            raise KeyboardInterrupt
        self.asked = True
