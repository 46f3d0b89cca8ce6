"""The files in a run's folder from which a killed run is resumed.

`state.json` holds the figures of the finished rounds and is replaced atomically; `episodes/` holds
what was collected, `checkpoints/<round>/` the policies, `best/` a copy of the best. Everything
random follows from the seed and from numbers of rounds and episodes, so that what was lost with a
kill is reproduced exactly. The run is saved at most once a second, since rounds may take
milliseconds.
"""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robot_learning.core import files
from robot_learning.core.ensemble_folders import BEST
from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.data import Episode, EpisodeFiles
from robot_learning.learning.runs.run import InteractiveRun
from robot_learning.learning.runs.state_file import StateFile
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.policies.checkpoint import CheckpointDetails, load_checkpoint, save_checkpoint
from robot_learning.policies.policy import Policy

# The time that a kill may cost.
_SAVE_EVERY_S = 1.0
# Settings that may differ when a run is resumed.
_LIMITS = ("rounds", "budget_labels", "budget_episodes")


@dataclass(frozen=True, kw_only=True)
class RunState(InteractiveRun[RoundResult]):
    """The progress of a run.

    Attributes:
        identity: settings, environment and expert that identify the run.
        rounds: figures of the finished rounds, oldest first.
        best: number of the round whose policy is in `best/`.
    """

    identity: Mapping[str, Any]
    best: int = 0


STATE_FILE = StateFile(
    name="state.json",
    kind=RunState,
    version=3,
    former_names={
        "results": "rounds",
        "iterations": "rounds",
        "doubt_threshold": "disagreement_threshold",
    },
    begins_empty=True,
)
load = STATE_FILE.load


def identity_of(config: ImitationConfig, env: str, expert: str) -> dict[str, Any]:
    """What must be equal for a run to be resumed.

    Args:
        config: settings of the run; limits on its length are left out.
        env: name and arguments of the environment.
        expert: name of the expert.
    """
    plain = {k: v for k, v in config.to_plain().items() if k not in _LIMITS}
    return json.loads(json.dumps({**plain, "env": env, "expert": expert}))  # type: ignore[no-any-return]


def holds_run(folder: Path) -> bool:
    """Whether the folder holds a run that has saved anything."""
    if not STATE_FILE.exists(folder):
        return False
    return any((folder / "episodes").glob("*.npz")) or bool(load(folder).rounds)


def begun(folder: Path, identity: dict[str, Any], resume: bool) -> RunState:
    """The state to start from: a new one, or the saved one.

    A run that was killed before it saved its first state may be resumed too.

    Args:
        folder: folder of the run.
        identity: settings, environment and expert, from `identity_of`.
        resume: whether a run in the folder is resumed.

    Raises:
        RunError: the folder holds a run that is not to be resumed, or a different one, or it cannot
            be written.
    """
    if holds_run(folder):
        if not resume:
            STATE_FILE.refuse_used(folder)
        state = load(folder)
        refuse_others(folder, state.identity, identity)
        return state
    # A run that was killed before it had saved anything starts over.
    is_ours = STATE_FILE.exists(folder)
    if not is_ours and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise RunError(f"{folder}: holds something else; choose another folder")
    state = RunState(identity=identity)
    STATE_FILE.save(folder, state)
    return state


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and lock it for this process; the kernel unlocks it when a process dies.

    Raises:
        RunError: another process works in the folder.
        TrainingError: the folder cannot be made.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.locked(folder))
        except files.LockHeldError:
            raise RunError(f"{folder}: another process works in it; end it first") from None
        except OSError as problem:
            raise TrainingError(f"{folder}: cannot be written: {problem}") from problem
        yield


class Store:
    """Saves a run: first episodes, then policies, then the state, which makes them valid.

    Attributes:
        state: state of the run, with the rounds that were added since the last save.
    """

    def __init__(self, folder: Path, state: RunState, members: int) -> None:
        """Save into a folder whose lock the caller holds.

        Args:
            folder: folder of the run.
            state: saved state of the run.
            members: number of policies in a round.
        """
        self.state, self._folder, self._members = state, folder, members
        self._files, self._saved_episodes = EpisodeFiles(folder), 0
        self._saved_at = time.perf_counter()
        self._policies: list[Policy] = []
        self._details = CheckpointDetails()
        self._best: tuple[Mapping[str, torch.Tensor], CheckpointDetails] | None = None

    def episodes(self) -> list[Episode]:
        """The saved episodes of the finished rounds and of the round after them.

        Raises:
            RunError: the files are damaged.
        """
        found = self._files.load(len(self.state.rounds) + 1)
        self._saved_episodes = len(found)
        return found

    def policies(self) -> list[Policy]:
        """The saved policies of the last finished round; empty before the first.

        Raises:
            CheckpointError: the checkpoints are damaged.
        """
        number = len(self.state.rounds) - 1
        if number < 0:
            return []
        paths = [self._place(number, member) for member in range(self._members)]
        return [load_checkpoint(path).policy for path in paths]

    def add(self, state: RunState, policies: list[Policy], details: CheckpointDetails) -> None:
        """Take a state and the policies of its newest round, to be saved next."""
        self.state, self._policies, self._details = state, policies, details
        if state.best == len(state.rounds) - 1:
            # Copies, since the next round may train these weights further.
            weights = {name: value.clone() for name, value in policies[0].state_dict().items()}
            self._best = weights, details

    def save_now_and_then(self, episodes: Sequence[Episode]) -> None:
        """Call `save` if the last call was at least a second ago."""
        if time.perf_counter() - self._saved_at > _SAVE_EVERY_S:
            self.save(episodes)

    def save(self, episodes: Sequence[Episode]) -> None:
        """Save what is new.

        Raises:
            RunError, TrainingError, CheckpointError: a file cannot be written; what was saved
                before stays.
        """
        self._files.save(episodes[self._saved_episodes :])
        self._saved_episodes = len(episodes)
        if self._policies:
            number = len(self.state.rounds) - 1
            self._place(number, 0).parent.mkdir(parents=True, exist_ok=True)
            for member, policy in enumerate(self._policies):
                save_checkpoint(self._place(number, member), policy, self._details)
            if self._best is not None:
                weights, details = self._best
                best = copy.deepcopy(self._policies[0])
                best.load_state_dict(weights)
                save_checkpoint(self._folder / BEST, best, details)
            STATE_FILE.save(self._folder, self.state)
            self._policies, self._best = [], None
            self._forget_members(number)
        self._saved_at = time.perf_counter()

    def _place(self, number: int, member: int) -> Path:
        """Folder of a checkpoint; member 0 of an ensemble is the policy that acts."""
        return self._folder / "checkpoints" / f"{number:03d}" / str(member)

    def _forget_members(self, before: int) -> None:
        """Remove the further members of the rounds before one, but not the policies that acted."""
        for round_folder in (self._folder / "checkpoints").glob("[0-9]*"):
            if int(round_folder.name) < before:
                for member in round_folder.glob("[1-9]*"):
                    shutil.rmtree(member, ignore_errors=True)


def refuse_others(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume a run with something else than it was started with.

    Args:
        folder: folder of the run.
        before: identity that the run was started with.
        now: identity that it is to be resumed with.

    Raises:
        RunError: they differ; the text names the first difference.
    """
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise RunError(
                f"{folder}: was started with {name} {before.get(name)!r}, now it is "
                f"{now.get(name)!r}; resume with the same, or choose another folder"
            )
