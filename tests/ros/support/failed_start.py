"""A node that cannot start, run within the test: what its process would say and end with."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from robot_learning.ros.common.node_base import run_node

_TIMEOUT_S = 60.0


def failed_start(executable: str, capture: Any, **parameters: object) -> tuple[int, list[str]]:
    """Run a node until its start has failed.

    Args:
        executable: name of the node's executable.
        capture: pytest's `capfd`.
        parameters: of the node, as `-p` takes them; a `__` in a name stands for its dot.

    Returns:
        The exit code, and the lines that it wrote.
    """
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name.replace('__', '.')}:={value}"]
    create = importlib.import_module(f"robot_learning.ros.{executable}").create
    capture.readouterr()
    # A start that goes well, against expectation, ends with code 0.
    end = threading.Timer(_TIMEOUT_S, os.kill, (os.getpid(), signal.SIGTERM))
    with _signals_restored():
        end.start()
        code = run_node(create, arguments)
        end.cancel()
    said = capture.readouterr()
    return code, (said.out + said.err).strip().splitlines()


@contextmanager
def _signals_restored() -> Iterator[None]:
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
