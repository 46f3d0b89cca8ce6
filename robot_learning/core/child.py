"""A child process at lower priority, which ends when this process does."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType

from robot_learning.core.bound_command import bound_to_parent

_LINES = 20
_END_TIMEOUT_S = 3.0
_POLL_EVERY_S = 0.05


class Child:
    """A running command; as a context manager it has ended after the body.

    Args:
        command: program and arguments.
        niceness: niceness that is added to this process's own, 0 to 19.
    """

    def __init__(self, command: Sequence[str], niceness: int = 0) -> None:
        self._process = subprocess.Popen(
            bound_to_parent(command, niceness),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._process.stdout is not None  # noqa: S101 (a pipe was asked for)
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._rest = b""

    def poll(self) -> int | None:
        """Its exit code; None while it runs. Takes what it has written."""
        code = self._process.poll()
        while chunk := self._output.read() or b"":
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(
                text for line in lines if (text := line.decode(errors="replace").strip())
            )
        return code

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        while (code := self.poll()) is None:
            time.sleep(_POLL_EVERY_S)
        return code

    @property
    def last_line(self) -> str:
        """What it said last; what ended it, where that was a signal."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return self._lines[-1] if self._lines else "it said nothing"

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it, if it runs still."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()
