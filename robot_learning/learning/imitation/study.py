"""A run repeated with several seeds, each in its own process, and the summary of all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.core.files import write_atomically
from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.state import holds_run, load
from robot_learning.learning.imitation.summary import summarize
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.seed_processes import run_in_processes, was_killed

_WORKER = "robot_learning.learning.imitation.worker"


@dataclass(frozen=True)
class Study:
    """What is run.

    Attributes:
        config: settings of each run, except for its seed.
        env: id of a gymnasium environment.
        expert: name of the expert, `module:callable` or `scripted`.
        folder: folder of the study; the run of a seed is in `seed_<seed>/`.
        seeds: seeds of the runs.
        env_kwargs: arguments of the environment.
        jobs: number of runs at a time; 0 for one per core.
    """

    config: ImitationConfig
    env: str
    expert: str
    folder: Path
    seeds: tuple[int, ...] = (0,)
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 0

    def run_folder(self, seed: int) -> Path:
        """The folder of a run."""
        return self.folder / f"seed_{seed}"

    def results(self) -> dict[int, list[RoundResult]]:
        """The rounds that the runs have saved so far, by seed."""
        found: dict[int, list[RoundResult]] = {}
        for seed in self.seeds:
            try:
                found[seed] = list(load(self.run_folder(seed)).rounds)
            except RunError:
                found[seed] = []
        return found


Tell = Callable[[dict[int, list[RoundResult]]], None]


def run_study(
    study: Study, *, resume: bool = False, tell: Tell | None = None
) -> dict[int, list[RoundResult]]:
    """Run all seeds and write their figures to `results.json` and `metrics.csv` in the folder.

    Args:
        study: what to run.
        resume: whether runs in the folder are resumed; the others begin.
        tell: callback with the rounds so far, by seed, ten times a second; None for none.

    Returns:
        The rounds of each seed.

    Raises:
        RunError: the folder holds runs that are not to be resumed.
        TrainingError: a run failed; the text says which and why. The others are finished first.
    """
    if len(set(study.seeds)) != len(study.seeds) or not study.seeds:
        raise ConfigurationError(f"seeds: expected different ones, found {study.seeds}")
    if not resume:
        _refuse_used(study)
    orders = {seed: _order(study, seed, resume) for seed in study.seeds}
    failures = run_in_processes(
        _WORKER, orders, study.jobs, None if tell is None else lambda: tell(study.results())
    )
    results = study.results()
    # Runs that failed before their first round, as without an expert, leave no folder.
    if any(results.values()):
        _write(study, results)
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        seed, text = min(failures.items())
        # An error of the run would only come again.
        can_go_on = was_killed(text) and holds_run(study.run_folder(seed))
        hint = "; what was collected is saved; continue with --resume" if can_go_on else ""
        raise TrainingError(f"seed {seed}: {text}{more}{hint}")
    return results


def _order(study: Study, seed: int, resume: bool) -> dict[str, Any]:
    return {
        "config": replace(study.config, seed=seed).to_plain(),
        "env": study.env,
        "env_kwargs": dict(study.env_kwargs),
        "expert": study.expert,
        "folder": str(study.run_folder(seed)),
        "resume": resume,
    }


def _refuse_used(study: Study) -> None:
    for seed in study.seeds:
        folder = study.run_folder(seed)
        if holds_run(folder):
            raise RunError(used_folder(folder))


def _write(study: Study, results: Mapping[int, Sequence[RoundResult]]) -> None:
    """Write `results.json` and `metrics.csv`."""
    plain = {
        "config": study.config.to_plain(),
        "env": study.env,
        "expert": study.expert,
        "seeds": {str(seed): [asdict(r) for r in rounds] for seed, rounds in results.items()},
        "summary": summarize(list(results.values())),
    }
    names = ["seed", *(item.name for item in fields(RoundResult))]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for seed, rounds in results.items():
        writer.writerows({"seed": seed, **asdict(result)} for result in rounds)
    try:
        study.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            study.folder / "results.json", (json.dumps(plain, indent=2) + "\n").encode()
        )
        write_atomically(study.folder / "metrics.csv", text.getvalue().encode())
    except OSError as problem:
        raise TrainingError(f"{study.folder}: cannot be written: {problem}") from problem
