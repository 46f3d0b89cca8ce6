"""Python programs in processes of their own that have what is slow to import from the start."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

_CONTEXT = multiprocessing.get_context("forkserver")
# None of them starts a thread as it is imported, so that a process with them can be forked.
_CONTEXT.set_forkserver_preload(
    [
        *("torch", "h5py", "gymnasium", "mujoco"),
        *("robot_learning.learning.training.trainer", "robot_learning.learning.imitation.worker"),
        *("robot_learning.learning.reinforcement.worker", "robot_learning.cli.main"),
        *("robot_learning.episodes.recording.recorder", "robot_learning.sim.experts"),
    ]
)
_TIMEOUT_S = 120.0
# Of before any test, in which everything can be imported.
_ENVIRONMENT = dict(os.environ)


def is_of_warm_processes(pid: int) -> bool:
    """Whether a child of this process is there for warm processes, and for no test of its own."""
    tracker = resource_tracker._resource_tracker
    return pid in (forkserver._forkserver._forkserver_pid, tracker._pid)


class WarmProcess:
    """Runs as `python -c PROGRAM ARGUMENT...` does, but starts at once.

    Args:
        program: Python source.
        arguments: what `sys.argv` holds beside the name of the program.
        output: file that takes what it writes; None for where the tests write.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[object] = (),
        output: Path | None = None,
    ) -> None:
        with mock.patch.dict(os.environ, _ENVIRONMENT, clear=True):
            forkserver.ensure_running()
        words = [str(argument) for argument in arguments]
        self._process: BaseProcess = _CONTEXT.Process(
            target=_execute, args=(program, words, output, dict(os.environ)), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        self._process.join(_TIMEOUT_S)
        code = self._process.exitcode
        assert code is not None, "it did not end"
        return code

    def kill(self) -> int:
        """End it by SIGKILL; its exit code."""
        self._process.kill()
        return self.wait()


def _execute(
    program: str, arguments: Sequence[str], output: Path | None, environment: Mapping[str, str]
) -> None:
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv, sys.path = ["-c", *arguments], ["", *sys.path]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
