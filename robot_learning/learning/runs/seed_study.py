"""A run repeated with several seeds: what every such study consists of, and what it refuses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from robot_learning.core.errors import ConfigurationError, used_folder
from robot_learning.learning.training.errors import RunError, TrainingError
from robot_learning.learning.training.seed_processes import Failure


class RunConfig(Protocol):
    """The settings of a run, of which one is its `seed`."""

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""


ConfigT = TypeVar("ConfigT", bound=RunConfig)


@dataclass(frozen=True)
class SeedStudy(ABC, Generic[ConfigT]):
    """What is run.

    Attributes:
        config: settings of each run, except for its seed.
        env: id of a gymnasium environment.
        folder: folder of the study; the run of a seed is in `seed_<seed>/`.
        seeds: seeds of the runs.
        env_kwargs: arguments of the environment.
        jobs: number of runs at a time; 0 for one per core.
    """

    config: ConfigT
    env: str
    folder: Path
    seeds: tuple[int, ...] = (0,)
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 0

    @abstractmethod
    def holds_run(self, folder: Path) -> bool:
        """Whether a folder holds a run that has saved anything."""

    def run_folder(self, seed: int) -> Path:
        """The folder of a run."""
        return self.folder / f"seed_{seed}"

    def orders(self, resume: bool) -> dict[int, dict[str, Any]]:
        """What the process of each run is told, by seed, as JSON can hold it.

        Args:
            resume: whether runs in the folder are resumed; the others begin.

        Raises:
            ConfigurationError: there is no seed, or one is given twice.
            RunError: the folder holds runs that are not to be resumed.
        """
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise ConfigurationError(f"seeds: expected different ones, found {self.seeds}")
        if not resume:
            self._refuse_used()
        return {seed: self._order(seed, resume) for seed in self.seeds}

    def error_of(self, failures: Mapping[int, Failure], saved: str) -> TrainingError:
        """The error that says which run failed and why, what is saved, and how to go on.

        Args:
            failures: why runs failed, by seed; at least one.
            saved: what a run has saved, such as `what was collected`.
        """
        seed, failure = min(failures.items(), key=lambda item: item[0])
        text = f"seed {seed}: {failure.text}"
        if len(failures) > 1:
            text += f" (and {len(failures) - 1} more)"
        if self.holds_run(self.run_folder(seed)):
            text += f"; {saved} is saved"
            if not failure.comes_again:
                text += "; once the cause is gone, continue with --resume"
        return TrainingError(text)

    def _order(self, seed: int, resume: bool) -> dict[str, Any]:
        return {
            "config": {**self.config.to_plain(), "seed": seed},
            "env": self.env,
            "env_kwargs": dict(self.env_kwargs),
            "folder": str(self.run_folder(seed)),
            "resume": resume,
        }

    def _refuse_used(self) -> None:
        for folder in map(self.run_folder, self.seeds):
            if self.holds_run(folder):
                raise RunError(used_folder(folder))
