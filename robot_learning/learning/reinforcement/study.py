"""A run repeated with several seeds, each in its own process, and the summary of all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robot_learning.core.files import write_atomically
from robot_learning.learning.imitation.summary import mean_and_half_width
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.state import Final, RunState, holds_run, load
from robot_learning.learning.runs.seed_study import SeedStudy
from robot_learning.learning.training.errors import TrainingError
from robot_learning.learning.training.run_folder import METRICS_NAME
from robot_learning.learning.training.seed_processes import run_in_processes

_WORKER = "robot_learning.learning.reinforcement.worker"
_LINE_BYTES = 2000
_STEP_COLUMN = 1


@dataclass(frozen=True)
class ReinforcementStudy(SeedStudy[ReinforcementConfig]):
    """What is run; see `SeedStudy`."""

    def holds_run(self, folder: Path) -> bool:
        """See `SeedStudy`."""
        return holds_run(folder)

    def step(self, seed: int) -> int:
        """Number of steps that a run has made so far; cheap enough to be asked often."""
        return _last_step(self.run_folder(seed) / METRICS_NAME)

    def states(self) -> dict[int, RunState]:
        """The states that the runs have saved, by seed."""
        folders = {seed: self.run_folder(seed) for seed in self.seeds}
        return {seed: load(folder) for seed, folder in folders.items() if holds_run(folder)}


def run_reinforcement_study(
    study: ReinforcementStudy, *, resume: bool = False, tell: Callable[[int], None] | None = None
) -> dict[int, RunState]:
    """Run all seeds and write their figures to `results.json` in the folder.

    Args:
        study: what to run.
        resume: whether runs in the folder are resumed; the others begin.
        tell: callback with the number of steps of all runs so far, ten times a second; None for
            none.

    Returns:
        The state of each run at its end, by seed.

    Raises:
        RunError: the folder holds runs that are not to be resumed.
        TrainingError: a run failed; the text says which and why. The others are finished first.
    """
    orders = study.orders(resume)

    def told() -> None:
        if tell is not None:
            tell(sum(min(study.step(seed), study.config.steps) for seed in study.seeds))

    failures = run_in_processes(_WORKER, orders, study.jobs, told)
    states = study.states()
    if states:
        _write(study, states)
    if failures:
        raise study.error_of(failures, "what was learned")
    return states


def summary(states: Mapping[int, RunState]) -> dict[str, Any]:
    """Mean of the seeds' final returns with half of its 95 % interval, None for a single seed."""
    finals = [state.final.return_mean for state in states.values() if state.final]
    finals = [value for value in finals if not math.isnan(value)]
    if not finals:
        return {"seeds": 0, "return_mean": None, "half_width": None}
    mean, half = mean_and_half_width(finals)
    width = None if math.isnan(half) else half
    return {"seeds": len(finals), "return_mean": mean, "half_width": width}


def _last_step(path: Path) -> int:
    """The step in the last whole line of a table of figures; 0 without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LINE_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return 0
    cells = lines[-1].split(b",") if lines else []
    text = cells[_STEP_COLUMN] if len(cells) > _STEP_COLUMN else b""
    return int(text) if text.isdigit() else 0


def _plain(final: Final | None) -> dict[str, Any] | None:
    """Figures as JSON holds them, which has no NaN."""
    if final is None:
        return None
    items = asdict(final).items()
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in items}


def _write(study: ReinforcementStudy, states: Mapping[int, RunState]) -> None:
    chosen_by = "best_greedy_learned" if study.config.preference.reward else "best_return"
    plain = {
        "config": study.config.to_plain(),
        "env": study.env,
        "env_arguments": dict(study.env_kwargs),
        "seeds": {
            str(seed): {
                "step": state.step,
                "best_step": state.best_step,
                chosen_by: state.best_return,
                "final": _plain(state.final),
            }
            for seed, state in states.items()
        },
        "summary": summary(states),
    }
    try:
        study.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            study.folder / "results.json", (json.dumps(plain, indent=2) + "\n").encode()
        )
    except OSError as problem:
        raise TrainingError(f"{study.folder}: cannot be written: {problem}") from problem
