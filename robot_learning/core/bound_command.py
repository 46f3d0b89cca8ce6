"""Runs a command at lower priority that does not outlive the process that started it.

    python -I -S bound_command.py NICENESS PARENT_PID COMMAND ARGUMENT...

The kernel ends the command when the parent dies, however that was (Linux only). Done here,
between two programs, because a process with threads must not run Python between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def bound_to_parent(command: Sequence[str], niceness: int = 0) -> list[str]:
    """The command line that runs `command` bound to this process."""
    # The standard library is all it takes: without installed packages it starts five times faster.
    start = [sys.executable, "-I", "-S", __file__]
    return [*start, str(niceness), str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> None:
    """Become the command."""
    niceness, parent, *command = arguments
    os.nice(int(niceness))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
