"""Short jobs in a few threads, made for objects that cross forks and pickles."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_MOST_THREADS = 4


class WorkerThreads:
    """Runs jobs that let go of the interpreter, as decoding an image does.

    The threads start with the first jobs, and again in a process that was forked.
    """

    def __init__(self, threads: int | None = None) -> None:
        """At most `threads`; by default one for each core that this process may use, up to 4."""
        self._threads = threads or min(len(os.sched_getaffinity(0)), _MOST_THREADS)
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, jobs: Sequence[Callable[[], object]]) -> None:
        """Run all jobs; returns when they are done, and raises what the first of them raised."""
        if self._threads == 1 or len(jobs) < 2:
            for job in jobs:
                job()
            return
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self._threads, "episode-decoder")
            self._process = os.getpid()
        # One part a thread: handing over a job costs a tenth of decoding a small image.
        parts = [jobs[start :: self._threads] for start in range(self._threads)]
        for _ in self._pool.map(_run_all, parts):
            pass

    def __getstate__(self) -> dict[str, Any]:
        return {"threads": self._threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._threads, self._pool, self._process = state["threads"], None, 0


def _run_all(jobs: Sequence[Callable[[], object]]) -> None:
    for job in jobs:
        job()
