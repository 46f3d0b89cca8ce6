"""What a round does with its episodes, as processes of their own beside the nodes.

They give way to the control loops, end with this process, and can be killed: a training goes on
from the state that it saved last.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from robot_learning.core.leash import leashed

EXPERT_LABELS = "data.sources=human"
_STATE_NAME = "state.safetensors"
_LINES = 20
_END_PATIENCE_S = 3.0


def training_command(
    dataset: str, folder: Path, policy: str, preset: str, settings: Sequence[str]
) -> list[str]:
    """The arguments of `robot-learning` that train a round, or go on with it if it was killed.

    Labels are an expert's only (HG-DAgger), unless `settings` say otherwise.
    """
    command = ["train", dataset, "--policy", policy, "--preset", preset, "--out", str(folder)]
    for setting in (EXPERT_LABELS, *settings):
        command += ["--set", setting]
    return [*command, *(["--resume"] if (folder / _STATE_NAME).is_file() else [])]


class Child:
    """`robot-learning` with other arguments, beside this process."""

    def __init__(self, arguments: Sequence[str], niceness: int = 0) -> None:
        program = [sys.executable, "-m", "robot_learning.cli.main"]
        self._process = subprocess.Popen(
            leashed([*program, *arguments], niceness),
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

    @property
    def last_line(self) -> str:
        """What it said last; what ended it, where that was a signal."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        return self._lines[-1] if self._lines else "it said nothing"

    def end(self) -> None:
        """End it, if it runs still."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()
