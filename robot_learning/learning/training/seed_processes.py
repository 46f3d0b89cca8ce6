"""Runs with several seeds, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from robot_learning.core.bound_command import bound_to_parent
from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.learning.training.errors import DivergedError

_POLL_S = 0.1
_END_S = 5.0
_FAILED, _COMES_AGAIN = 1, 2


@dataclass(frozen=True)
class Failure:
    """Why a run failed.

    Attributes:
        text: last line that its process wrote, or how that was ended.
        comes_again: whether a resumed run would fail again: its settings are wrong, or its numbers
            were not finite.
    """

    text: str
    comes_again: bool = False


def run_in_processes(
    module: str,
    orders: Mapping[int, Mapping[str, Any]],
    jobs: int = 0,
    tell: Callable[[], None] | None = None,
    ended: Callable[[int], None] | None = None,
) -> dict[int, Failure]:
    """Run a module with each order, and wait for all; the others go on where one fails.

    Args:
        module: module that is run, with an order as its argument in JSON; see `carry_out`.
        orders: what to do for each seed, as JSON can hold it.
        jobs: number of processes at a time; 0 for one per core.
        tell: callback, ten times a second; None for none.
        ended: callback with the seed of each process that has ended, however; None for none.

    Returns:
        Why the runs that failed did so, by seed.

    Raises:
        ConfigurationError: `jobs` is negative.
    """
    if jobs < 0:
        raise ConfigurationError(f"jobs: expected at least 0, found {jobs}; 0 is one per core")
    waiting, running = list(orders), list[_Worker]()
    jobs = jobs or len(os.sched_getaffinity(0))
    failures: dict[int, Failure] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                seed = waiting.pop(0)
                running.append(_Worker(module, seed, orders[seed]))
            time.sleep(_POLL_S)
            for worker in [worker for worker in running if worker.process.poll() is not None]:
                running.remove(worker)
                if ended is not None:
                    ended(worker.seed)
                failure = worker.failure()
                if failure is not None:
                    failures[worker.seed] = failure
            if tell is not None:
                tell()
    finally:
        for worker in running:
            worker.process.terminate()
        for worker in running:
            try:
                worker.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            if ended is not None:
                ended(worker.seed)
    return failures


def carry_out(text: str, run: Callable[[dict[str, Any]], object]) -> int:
    """Carry out an order in such a process; a failure prints one line.

    Args:
        text: the order, in JSON.
        run: function that does what the order says.

    Returns:
        The exit status: 0, 2 where a resumed run would fail again, 1 for any other failure.
    """
    try:
        run(json.loads(text))
    except (RobotLearningError, OSError) as problem:
        print(" ".join(str(problem).split()), file=sys.stderr)
        again = isinstance(problem, ConfigurationError | DivergedError)
        return _COMES_AGAIN if again else _FAILED
    return 0


class _Worker:
    """The process of one run."""

    def __init__(self, module: str, seed: int, order: Mapping[str, Any]) -> None:
        self.seed = seed
        # A file, since a pipe that nobody reads would block a process with much output.
        self._said = tempfile.TemporaryFile(  # noqa: SIM115 (closed in failure)
            "w+", encoding="utf-8", errors="replace"
        )
        # One thread per run, as the processes share the cores.
        self.process = subprocess.Popen(
            bound_to_parent([sys.executable, "-m", module, json.dumps(order)]),
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    def failure(self) -> Failure | None:
        """Why the process failed; None if it did not."""
        code = self.process.returncode
        self._said.seek(0)
        lines = self._said.read().split("\n")
        self._said.close()
        if code == 0:
            return None
        if code < 0:
            return Failure(f"the process was ended by signal {-code}")
        last = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
        return Failure(last, comes_again=code == _COMES_AGAIN)
