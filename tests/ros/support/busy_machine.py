"""A machine with little to spare."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_core() -> Iterator[None]:
    """Whatever is started meanwhile has three quarters of one core; a loop takes what is left."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    loop = subprocess.Popen([sys.executable, "-c", "import os; os.nice(5)\nwhile True: pass"])
    try:
        yield
    finally:
        loop.kill()
        loop.wait()
        os.sched_setaffinity(0, allowed)
