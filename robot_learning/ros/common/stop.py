"""How a process with nodes is asked to end: by signals, which only set a flag.

rclpy's own signal handlers shut the context down at once, so that a node could not publish a
last message or release its robot; here a signal only sets a flag that the loop reads.
"""

from __future__ import annotations

import faulthandler
import gc
import signal
from types import FrameType

# Longer than any clean end, shorter than what `ros2 launch` and the supervisor wait.
END_LIMIT_S = 4.0


class Stop:
    """Set once the process should end: by SIGINT, by SIGTERM, or by the node itself.

    Until the node's loop calls `begin`, a signal raises KeyboardInterrupt instead, so that a
    slow start can be broken off. A middleware that does not come back from a call cannot keep
    the process: `end_limit_s` after the signal it ends, and its stack is on stderr.
    """

    def __init__(self) -> None:
        self.is_set = False
        self.exit_code = 0
        self.end_limit_s = END_LIMIT_S
        self._begun = False

    def begin(self) -> None:
        """From now on somebody looks at `is_set`, and a loop keeps time.

        What is loaded by now stays for good; the garbage collector would walk through all of it
        every now and then, for tens of milliseconds in which no tick runs.
        """
        self._begun = True
        gc.collect()
        gc.freeze()

    def end(self) -> None:
        """Nobody keeps time any more: what is left of the nodes is released now.

        Left to the end of the process, their middleware is taken down while its threads still run,
        and crashes now and then.
        """
        gc.unfreeze()
        gc.collect()

    def set(self, exit_code: int = 0) -> None:
        """Ask the node's loop to end; the first exit code given counts."""
        if not self.is_set:
            self.exit_code = exit_code
        self.is_set = True

    def install(self) -> None:
        """Let SIGINT and SIGTERM set this flag."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        # Its clock runs in C, so that it is heard even when no Python is run any more.
        faulthandler.dump_traceback_later(self.end_limit_s, exit=True)
        self.set()
        if not self._begun:
            raise KeyboardInterrupt
