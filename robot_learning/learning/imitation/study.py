"""A run repeated with several seeds, each in its own process, and the summary of all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from robot_learning.core.files import write_atomically
from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.progress_file import read_progress, remove_progress
from robot_learning.learning.imitation.state import holds_run, load
from robot_learning.learning.imitation.summary import summarize
from robot_learning.learning.runs.seed_study import SeedStudy
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.seed_processes import run_in_processes

_WORKER = "robot_learning.learning.imitation.worker"


@dataclass(frozen=True)
class Study(SeedStudy[ImitationConfig]):
    """What is run.

    Attributes:
        expert: name of the expert, `module:callable` or `scripted`.
    """

    expert: str = field(kw_only=True)

    def holds_run(self, folder: Path) -> bool:
        """See `SeedStudy`."""
        return holds_run(folder)

    def results(self) -> dict[int, list[RoundResult]]:
        """The rounds that the runs have saved so far, by seed."""
        found: dict[int, list[RoundResult]] = {}
        for seed in self.seeds:
            try:
                found[seed] = list(load(self.run_folder(seed)).rounds)
            except RunError:
                found[seed] = []
        return found

    def progress(self) -> dict[int, str]:
        """Where the runs under way are, by seed."""
        found = {seed: read_progress(self.run_folder(seed)) for seed in self.seeds}
        return {seed: text for seed, text in found.items() if text}

    def remove_progress(self, *seeds: int) -> None:
        """Remove what the runs of these seeds told of their progress; they are not under way."""
        for seed in seeds:
            remove_progress(self.run_folder(seed))


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
    orders = {seed: {**o, "expert": study.expert} for seed, o in study.orders(resume).items()}
    # A killed process leaves its file, which a run that waits would be shown by.
    study.remove_progress(*study.seeds)
    failures = run_in_processes(
        _WORKER,
        orders,
        study.jobs,
        None if tell is None else lambda: tell(study.results()),
        study.remove_progress,
    )
    results = study.results()
    # Runs that failed before their first round, as without an expert, leave no folder.
    if any(results.values()):
        _write(study, results)
    if failures:
        raise study.error_of(failures, "what was collected")
    return results


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
