"""What a pipeline checks, as plain data: from a YAML file, from options, or from both.

    profiles: [desk_arm]
    datasets:
      - path: data/sample
        replay: [last]
        bound: 0.05
    policies:
      - checkpoint: runs/lift
        min_success: 0.9
        lower_bound: true
    rounds:
      - dataset: data/lift
        episodes: 2

Paths are relative to the file's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.core.strict_mapping import StrictMapping

DEFAULT_BOUND = 0.05
DEFAULT_EPISODES = 100
DEFAULT_SEED = 100_000
DEFAULT_STEPS = 200
LAST = "last"


@dataclass(frozen=True)
class DatasetCheck:
    """A dataset to verify, and episodes of it to replay.

    Attributes:
        path: its folder.
        replay: episodes, by number, file name or `last`; none for verifying alone.
        bound: how far a joint may stray in a replay, rad or m.
    """

    path: Path
    replay: tuple[str, ...] = (LAST,)
    bound: float = DEFAULT_BOUND


@dataclass(frozen=True)
class PolicyCheck:
    """A checkpoint to simulate, and what it has to reach.

    Attributes:
        checkpoint: its folder, or that of its run.
        min_success: share of the episodes that must succeed.
        lower_bound: hold it against the lower end of the 95 % Wilson interval.
        episodes: that are simulated.
        seed: of the first one.
        task: None for the checkpoint's own.
        robot: likewise.
    """

    checkpoint: Path
    min_success: float
    lower_bound: bool = False
    episodes: int = DEFAULT_EPISODES
    seed: int = DEFAULT_SEED
    task: str | None = None
    robot: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.min_success <= 1:
            raise ConfigurationError(
                f"{self.checkpoint}: min_success is a share above 0 and up to 1, not "
                f"{self.min_success:g}: with 0 nothing could fail"
            )
        if self.episodes < 1:
            raise ConfigurationError(
                f"{self.checkpoint}: {self.episodes} episodes test nothing; at least 1"
            )


@dataclass(frozen=True)
class RoundCheck:
    """A round of DAgger over the ROS nodes in lockstep, on a copy of a dataset.

    Attributes:
        dataset: its folder, to which nothing is written.
        checkpoint: the policy that drives; None trains one from the dataset first.
        episodes: of the round.
        steps: of each training.
        seed: of the first scene.
    """

    dataset: Path
    checkpoint: Path | None = None
    episodes: int = 1
    steps: int = DEFAULT_STEPS
    seed: int = 0


@dataclass(frozen=True)
class Pipeline:
    """Everything that is checked."""

    profiles: tuple[str, ...] = ()
    datasets: tuple[DatasetCheck, ...] = ()
    policies: tuple[PolicyCheck, ...] = ()
    rounds: tuple[RoundCheck, ...] = ()

    def __add__(self, other: Pipeline) -> Pipeline:
        """What either of the two checks."""
        return Pipeline(
            self.profiles + other.profiles,
            self.datasets + other.datasets,
            self.policies + other.policies,
            self.rounds + other.rounds,
        )

    def refuse_empty(self) -> None:
        """A run that checks nothing must not be green.

        Raises:
            ConfigurationError: there is nothing to check.
        """
        if not (self.profiles or self.datasets or self.policies or self.rounds):
            raise ConfigurationError(
                "nothing to check: give a file, or --profile, --dataset, --round, or --checkpoint "
                "with --min-success"
            )


def read_pipeline(path: Path) -> Pipeline:
    """Read a file as the module describes it.

    Raises:
        ConfigurationError: names the file, the key and what is valid.
    """
    from robot_learning.core.strict_mapping import StrictMapping

    root = StrictMapping.read(path)
    folder = path.parent
    pipeline = Pipeline(
        profiles=tuple(_profile(folder, name) for name in root.texts("profiles", ())),
        datasets=tuple(_dataset(folder, entry) for entry in root.mappings("datasets", False)),
        policies=tuple(_policy(folder, entry) for entry in root.mappings("policies", False)),
        rounds=tuple(_round(folder, entry) for entry in root.mappings("rounds", False)),
    )
    root.finish()
    return pipeline


def _profile(folder: Path, name: str) -> str:
    """A robot's name, or the place of a profile that lies beside the file."""
    beside = folder / name
    return str(beside) if beside.exists() else name


def _dataset(folder: Path, entry: StrictMapping) -> DatasetCheck:
    check = DatasetCheck(
        path=folder / entry.text("path"),
        replay=entry.texts("replay", (LAST,)),
        bound=entry.number("bound", DEFAULT_BOUND, positive=True),
    )
    entry.finish()
    return check


def _policy(folder: Path, entry: StrictMapping) -> PolicyCheck:
    check = PolicyCheck(
        checkpoint=folder / entry.text("checkpoint"),
        min_success=entry.number("min_success"),
        lower_bound=entry.flag("lower_bound", False),
        episodes=entry.integer("episodes", DEFAULT_EPISODES),
        seed=entry.integer("seed", DEFAULT_SEED, minimum=0),
        task=entry.optional_text("task"),
        robot=entry.optional_text("robot"),
    )
    entry.finish()
    return check


def _round(folder: Path, entry: StrictMapping) -> RoundCheck:
    checkpoint = entry.optional_text("checkpoint")
    check = RoundCheck(
        dataset=folder / entry.text("dataset"),
        checkpoint=folder / checkpoint if checkpoint else None,
        episodes=entry.integer("episodes", 1, minimum=1),
        steps=entry.integer("steps", DEFAULT_STEPS, minimum=1),
        seed=entry.integer("seed", 0, minimum=0),
    )
    entry.finish()
    return check
