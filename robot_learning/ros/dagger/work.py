"""What a round leaves to other processes: relabelling, training, and the gate's thresholds.

Nobody drives meanwhile, and the policy rests to leave them the processor; the node goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from robot_learning.core.child import Child
from robot_learning.core.ensemble_folders import ensemble_members, gate_folder
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.headers.gate_header import gate_source
from robot_learning.learning.interactive.round_folders import (
    CHECKPOINT,
    member_folders,
    trained_checkpoint,
)
from robot_learning.learning.interactive.round_jobs import (
    GateJob,
    Job,
    TrainJob,
    worker_command,
)
from robot_learning.learning.interactive.round_settings import EXTERNAL, HUMAN
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.ros.common.service_calls import ServiceCalls
from robot_learning.ros.dagger.policy import RemotePolicy
from robot_learning.ros.dagger.run import fits_gate, resume_command

_NICENESS = 10


class RoundWork:
    """Does it for the rounds of one run."""

    def __init__(
        self,
        folder: Path,
        calls: ServiceCalls,
        policy: RemotePolicy,
        settings: DaggerNodeSettings,
        *,
        pause: Callable[[], None],
        say: Callable[[str], None],
        tell: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            folder: folder of the run.
            calls: calls to other nodes; their callbacks are served while a process works.
            policy: the policy, which rests while a process works.
            settings: parameters of the node; unless `simulated`, the loops of a real arm come
                first.
            pause: makes a simulated graph idle, so that others have the processor.
            say: takes a text about what is going on, for a person.
            tell: called now and then while a process works.
        """
        self._folder, self._calls, self._policy = folder, calls, policy
        self._settings = settings
        self._niceness = 0 if settings.simulated else _NICENESS
        self._idle, self._say, self._tell = pause, say, tell

    def do(self, job: Job, problem: str) -> None:
        """Have a job done by a process of its own.

        Raises:
            RobotLearningError: it failed; `problem` says what that means.
        """
        self._policy.rest()
        self._idle()
        code, said = self._ended(job)
        if code:
            raise RobotLearningError(self.advice(f"{problem}: {said}"))
        self._say(said)

    def train(self, run: DaggerRun) -> None:
        """Train the members of the newest round, or wait until somebody else has.

        Raises:
            RobotLearningError: a process failed.
        """
        training, number = run.training, run.current.number
        places = member_folders(self._folder, number, training.member_count)
        jobs = [
            TrainJob(run.dataset, str(place), training, member)
            for member, place in enumerate(places)
        ]
        if training.command == EXTERNAL:
            text = " && ".join(job.shell_command() for job in jobs)
            self._say(
                f"round {number}: the arm holds until {self.trained(run)} is there; train it "
                f"with: {text}"
            )
            while not all((place / CHECKPOINT).is_file() for place in places):
                self._pause()
            return
        self._say(f"round {number}: training; the arm holds")
        for job in jobs:
            self.do(job, f"round {number}: the training failed")

    def gate(self, run: DaggerRun, checkpoint: str, number: int) -> str | None:
        """The folder that says when this ensemble asks for help; None where it never does.

        Args:
            run: run whose kind of gate is wanted, and whose dataset the gate is computed from.
            checkpoint: checkpoint of the member that drives.
            number: number of the round that trained the checkpoint; for one that was given, of the
                round before the one that starts with it.

        Raises:
            RobotLearningError: the process that computes the gate failed.
        """
        kind = run.training.gate
        if kind == HUMAN:
            return None
        place = gate_folder(trained_checkpoint(self._folder, number))
        if not fits_gate(gate_source(place), self._settings):
            if not ensemble_members(checkpoint) or not Dataset(run.dataset).rows:
                text = "that takes further members next to it, and a row of the dataset"
                self._say(f"{checkpoint} does not ask for help: {text}")
                return None
            self._say(f"finding out when {checkpoint} asks for help; the arm holds")
            job = GateJob(run.dataset, checkpoint, str(place), kind, run.training.target_rate)
            self.do(job, "finding out when it asks for help failed")
        return str(place)

    def trained(self, run: DaggerRun) -> Path:
        """The checkpoint that the newest round's training ends with."""
        return trained_checkpoint(self._folder, run.current.number)

    def advice(self, problem: str) -> str:
        """A problem, and what to do once it is solved."""
        return f"{problem}. Once that is fixed, continue with: {resume_command(self._settings)}"

    def _ended(self, job: Job) -> tuple[int, str]:
        """Exit code of the process that did a job, and what it said last."""
        child = Child(worker_command(job), self._niceness)
        try:
            while (code := child.poll()) is None:
                self._pause()
        finally:
            child.end()
        return code, child.last_line

    def _pause(self) -> None:
        self._calls.rest()
        self._tell()
