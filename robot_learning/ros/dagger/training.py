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
from collections.abc import Mapping, Sequence
from pathlib import Path

from robot_learning.core.leash import leashed
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.rounds import SEPARATOR
from robot_learning.learning.training.config import LEARN_PADDING

EXPERT_LABELS = "data.expert_labels_only=true"
NO_PADDING = "policy.train_on_padding=false"
# Away from the seeds that people choose.
_MEMBER_SEEDS = 7_919_000
_STATE_NAME = "state.safetensors"
_LINES = 20
_END_PATIENCE_S = 3.0


def training_command(
    dataset: str, folder: Path, training: Mapping[str, str], member: int = 0
) -> list[str]:
    """The arguments of `robot-learning` that train a round, or go on with it if it was killed.

    Labels are an expert's only (HG-DAgger), unless the settings say otherwise.

    Args:
        dataset: its folder.
        folder: where it is trained.
        training: `policy`, `preset`, and `settings` separated by semicolons.
        member: of an ensemble; those after the first (0) have seeds of their own.
    """
    policy, given = training["policy"], training["settings"].split(SEPARATOR)
    command = ["train", dataset, "--policy", policy]
    command += ["--preset", training["preset"], "--out", str(folder)]
    default = [EXPERT_LABELS, *([NO_PADDING] if policy in LEARN_PADDING else [])]
    seed = [f"seed={_MEMBER_SEEDS + member}"] if member else []
    for setting in (*default, *(text for text in given if text.strip()), *seed):
        command += ["--set", setting]
    return [*command, *(["--resume"] if (folder / _STATE_NAME).is_file() else [])]


def gate_command(
    dataset: str, checkpoint: str, folder: Path, training: Mapping[str, str]
) -> list[str]:
    """The arguments that find out when an ensemble asks for help.

    Args:
        dataset: its folder.
        checkpoint: of the member that drives; the others lie beside it.
        folder: where it is written.
        training: `gate` and `target_rate`.
    """
    command = ["gate", dataset, checkpoint, "--out", str(folder)]
    return [*command, "--kind", training["gate"], "--target-rate", training["target_rate"]]


def relabel_command(dataset: Dataset, number: int) -> list[str]:
    """The arguments that have the task's expert label what the policy did in a round.

    Episodes with a label layer are left as they are: they were relabelled before this was killed,
    or a person has. Empty where there is nothing to do.
    """
    names = [
        summary.name
        for summary in dataset.select(rounds=[number], sources=["policy"]).episodes
        if not dataset.episode(summary.name).labels()
    ]
    return ["relabel", str(dataset.path), *names, "--only", "policy"] if names else []


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
