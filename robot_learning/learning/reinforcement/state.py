"""The file in a run's folder from which a killed run is resumed, and how far it is.

`state.npz` holds all numbers that the next iterations depend on, the figures so far, and what
identifies the run. It is replaced as a whole after an iteration, at most once a second:
everything random follows from the seed and from numbers of iterations and episodes, so that what
was lost with a kill is reproduced exactly.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.state import refuse_others
from robot_learning.learning.reinforcement.config import (
    IterationResult,
    ReinforcementConfig,
    merged,
)
from robot_learning.learning.runs.archive import damage_told, load_archive, save_archive
from robot_learning.learning.training.errors import RunError, TrainingError

STATE_NAME = "state.npz"
_VERSION = 1
# The time that a kill may cost.
_SAVE_EVERY_S = 1.0


@dataclass(frozen=True)
class Final:
    """How the policy that was kept did at the end.

    Attributes:
        return_mean: mean return of the final greedy episodes; NaN where the environment gives no
            rewards.
        return_low, return_high: bounds of its 95 % interval, or NaN.
        success: share of them that succeeded; None where the environment does not say.
        episodes: number of these episodes.
    """

    return_mean: float
    return_low: float
    return_high: float
    success: float | None
    episodes: int


@dataclass(frozen=True)
class RunState:
    """The progress of a run.

    Attributes:
        identity: settings and environment that identify the run.
        results: figures of the iterations.
        best_step: number of steps after which the policy in `best/` was taken; 0 before the first.
        best_return: mean return by which it was chosen, or where there is a learned reward the
            `greedy_learned` of its iteration; None before the first.
        final: figures of the policy that was kept, once the run is over; None before.
        stopped: why the run ended before its steps were spent; empty if it did not.
        arrays: all numbers that the next iterations depend on, by name.
    """

    identity: dict[str, Any]
    results: list[IterationResult] = field(default_factory=list)
    best_step: int = 0
    best_return: float | None = None
    final: Final | None = None
    stopped: str = ""
    arrays: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Number of steps so far."""
        return self.results[-1].step if self.results else 0


def identity_of(config: ReinforcementConfig, env: str) -> dict[str, Any]:
    """What must be equal for a run to be resumed; the watch may be another.

    Args:
        config: settings of the run.
        env: name and arguments of the environment.
    """
    plain = json.loads(json.dumps({**config.to_plain(), "env": env}))
    return _without_watch(plain)


def _without_watch(identity: Mapping[str, Any]) -> dict[str, Any]:
    preference = {k: v for k, v in identity["preference"].items() if k != "window"}
    return {**identity, "preference": preference}


def _completed(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity with the defaults of settings that there were not when its run began."""
    defaults = json.loads(json.dumps(ReinforcementConfig().to_plain()))
    return _without_watch(merged(defaults, identity))


def holds_run(folder: Path) -> bool:
    """Whether the folder holds a run that has saved anything."""
    return (folder / STATE_NAME).exists()


def load(folder: Path) -> RunState:
    """The state in a folder.

    Raises:
        RunError: the state is missing or damaged, or a newer version wrote it.
    """
    path = folder / STATE_NAME
    if not holds_run(folder):
        raise RunError(f"{folder}: there is no run here: {STATE_NAME} is missing")
    try:
        facts, arrays = load_archive(path, "states of a run", _VERSION, "name the folder of a run")
        with damage_told(path):
            results = [IterationResult(**item) for item in facts.pop("results")]
            final = facts.pop("final")
            return RunState(
                **facts, results=results, final=Final(**final) if final else None, arrays=arrays
            )
    except ConfigurationError as problem:
        raise RunError(str(problem)) from problem


def begun(folder: Path, identity: Mapping[str, Any], resume: bool) -> RunState:
    """The state to start from: a new one, or the saved one.

    Args:
        folder: folder of the run, which exists.
        identity: settings and environment, from `identity_of`.
        resume: whether a run in the folder is resumed.

    Raises:
        RunError: the folder holds a run that is not to be resumed, a different one, or something
            else.
    """
    if holds_run(folder):
        if not resume:
            raise RunError(used_folder(folder))
        state = load(folder)
        completed = _completed(state.identity)
        refuse_others(folder, completed, identity)
        return replace(state, identity=completed)
    # What a run writes before its first state is written again.
    ours = (".", "metrics.csv", "tensorboard", "best")
    if any(not path.name.startswith(ours) for path in folder.iterdir()):
        raise RunError(f"{folder}: holds something else; choose another folder")
    return RunState(dict(identity))


class StateFile:
    """Saves a state whenever a second is over."""

    def __init__(self, folder: Path) -> None:
        """Save into a folder whose lock the caller holds."""
        self._path = folder / STATE_NAME
        self._saved_at = time.perf_counter()

    def save_now_and_then(self, state: RunState) -> None:
        """Call `save` if the last call was at least a second ago."""
        if time.perf_counter() - self._saved_at > _SAVE_EVERY_S:
            self.save(state)

    def save(self, state: RunState) -> None:
        """Replace the file.

        Raises:
            TrainingError: it cannot be written; the state before stays.
        """
        facts = {
            "identity": state.identity,
            "results": [asdict(result) for result in state.results],
            "best_step": state.best_step,
            "best_return": state.best_return,
            "final": asdict(state.final) if state.final else None,
            "stopped": state.stopped,
        }
        try:
            save_archive(self._path, facts, state.arrays, _VERSION)
        except OSError as problem:
            raise TrainingError(f"{self._path}: cannot be written: {problem}") from problem
        self._saved_at = time.perf_counter()
