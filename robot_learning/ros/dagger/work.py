"""What a round has done by other processes: relabelling, training, and when it asks for help.

Nobody drives meanwhile, and the policy has the processor free; the node goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from robot_learning.core.ensemble_folders import ensemble_members, gate_folder, gate_source
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.interactive.round_folders import (
    CHECKPOINT,
    member_folders,
    trained_checkpoint,
)
from robot_learning.learning.interactive.rounds import DaggerRun
from robot_learning.ros.common.session_calls import Calls
from robot_learning.ros.dagger.policy import RemotePolicy
from robot_learning.ros.dagger.run import (
    EXTERNAL,
    WATCHED,
    fits_gate,
    member_count,
    resume_command,
)
from robot_learning.ros.dagger.training import Child, gate_command, training_command

_NICENESS = 10


class RoundWork:
    """Does it for the rounds of one run."""

    def __init__(
        self,
        folder: Path,
        calls: Calls,
        policy: RemotePolicy,
        settings: Mapping[str, Any],
        *,
        pause: Callable[[], None],
        say: Callable[[str], None],
        tell: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            folder: of the run.
            calls: whose callbacks are served meanwhile.
            policy: that rests meanwhile.
            settings: parameters of the node; unless `simulated`, the loops of a real arm come
                first.
            pause: makes a simulated graph idle, so that others have the processor.
            say: takes what goes on, for a person.
            tell: called now and then.
        """
        self._folder, self._calls, self._policy = folder, calls, policy
        self._settings = settings
        self._niceness = 0 if settings["simulated"] else _NICENESS
        self._idle, self._say, self._tell = pause, say, tell

    def do(self, arguments: list[str], problem: str) -> None:
        """Run `robot-learning` with these arguments to its end.

        Raises:
            RobotLearningError: it failed; `problem` says what that means.
        """
        self._policy.rest()
        self._idle()
        child = Child(arguments, self._niceness)
        try:
            while (code := child.poll()) is None:
                self._pause()
        finally:
            child.end()
        if code:
            raise RobotLearningError(self.advice(f"{problem}: {child.last_line}"))
        self._say(child.last_line)

    def train(self, run: DaggerRun) -> None:
        """Train the members of the newest round, or wait until somebody else has.

        Raises:
            RobotLearningError: a process failed.
        """
        training, number = run.training, run.current.number
        places = member_folders(self._folder, number, member_count(training))
        commands = [
            training_command(run.dataset, place, training, member)
            for member, place in enumerate(places)
        ]
        if training["command"] == EXTERNAL:
            text = " && ".join(f"robot-learning {' '.join(command)}" for command in commands)
            self._say(
                f"round {number}: the arm holds until {self.trained(run)} is there; train it "
                f"with: {text}"
            )
            while not all((place / CHECKPOINT).is_file() for place in places):
                self._pause()
            return
        self._say(f"round {number}: training; the arm holds")
        for command in commands:
            self.do(command, f"round {number}: the training failed")

    def gate(self, run: DaggerRun, checkpoint: str, number: int) -> str:
        """The folder that says when this ensemble asks for help; empty where it never does.

        Args:
            run: whose gate is wanted, and whose dataset tells.
            checkpoint: of the member that drives.
            number: of the round that trained it, or before the one that it was given for.

        Raises:
            RobotLearningError: the process that finds it out failed.
        """
        kind = run.training["gate"]
        if kind == WATCHED:
            return ""
        place = gate_folder(trained_checkpoint(self._folder, number))
        if not fits_gate(gate_source(place), self._settings):
            if not ensemble_members(checkpoint) or not Dataset(run.dataset).rows:
                text = "that takes further members beside it, and a row of the dataset"
                self._say(f"{checkpoint} does not ask for help: {text}")
                return ""
            self._say(f"finding out when {checkpoint} asks for help; the arm holds")
            arguments = gate_command(run.dataset, checkpoint, place, run.training)
            self.do(arguments, "finding out when it asks for help failed")
        return str(place)

    def trained(self, run: DaggerRun) -> Path:
        """The checkpoint that the newest round's training ends with."""
        return trained_checkpoint(self._folder, run.current.number)

    def advice(self, problem: str) -> str:
        """A problem, and what to do once it is solved."""
        return f"{problem}. Once that is mended, go on with: {resume_command(self._settings)}"

    def _pause(self) -> None:
        self._calls.rest()
        self._tell()
