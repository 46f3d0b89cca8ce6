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

from dataclasses import dataclass, replace
from pathlib import Path

from robot_learning.core.decoding import Names, Text, check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, Positive, ShareAbove0
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.core.yaml_file import decode_yaml

DEFAULT_BOUND = 0.05
DEFAULT_EPISODES = 100
DEFAULT_SEED = FIRST_HELD_OUT_SEED
DEFAULT_STEPS = 200
LAST = "last"


@dataclass(frozen=True)
class DatasetCheck:
    """A dataset to verify, and episodes of it to replay.

    Attributes:
        path: folder of the dataset.
        replay: episodes, by number, file name or `last`; none for verifying alone.
        bound: how far a joint may stray in a replay, rad or m.
    """

    path: Path
    replay: Names = (LAST,)
    bound: Positive = DEFAULT_BOUND


@dataclass(frozen=True)
class PolicyCheck:
    """A checkpoint to simulate, and what it has to reach.

    Attributes:
        checkpoint: folder of the checkpoint, or of its run.
        min_success: share of the episodes that must succeed; with 0 nothing could fail.
        lower_bound: hold it against the lower end of the 95 % Wilson interval.
        episodes: number of episodes that are simulated.
        seed: seed of the first episode.
        task: task to simulate; None for the checkpoint's own.
        robot: profile of the robot; None for the checkpoint's own.
    """

    checkpoint: Path
    min_success: ShareAbove0
    lower_bound: bool = False
    episodes: AtLeast1 = DEFAULT_EPISODES
    seed: AtLeast0 = DEFAULT_SEED
    task: Text | None = None
    robot: Text | None = None

    def __post_init__(self) -> None:
        if self.min_success <= 0:
            text = f"min_success: with {self.min_success:g} nothing could fail"
            raise ConfigurationError(f"{self.checkpoint}: {text}; expected a share above 0")
        check(self)


@dataclass(frozen=True)
class RoundCheck:
    """A round of DAgger over the ROS nodes in lockstep, on a copy of a dataset.

    Attributes:
        dataset: folder of the dataset, to which nothing is written.
        checkpoint: policy that drives; None trains one from the dataset first.
        episodes: number of episodes of the round.
        steps: gradient steps of each training.
        seed: seed of the first scene.
    """

    dataset: Path
    checkpoint: Path | None = None
    episodes: AtLeast1 = 1
    steps: AtLeast1 = DEFAULT_STEPS
    seed: AtLeast0 = 0


@dataclass(frozen=True)
class Pipeline:
    """Everything that is checked."""

    profiles: Names = ()
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
    found, folder = decode_yaml(path, Pipeline), path.parent
    return Pipeline(
        profiles=tuple(_profile(folder, name) for name in found.profiles),
        datasets=tuple(replace(each, path=folder / each.path) for each in found.datasets),
        policies=tuple(_policy(folder, each) for each in found.policies),
        rounds=tuple(_round(folder, each) for each in found.rounds),
    )


def _profile(folder: Path, name: str) -> str:
    """A robot's name, or the place of a profile that lies beside the file."""
    beside = folder / name
    return str(beside) if beside.exists() else name


def _policy(folder: Path, found: PolicyCheck) -> PolicyCheck:
    return replace(found, checkpoint=folder / found.checkpoint)


def _round(folder: Path, found: RoundCheck) -> RoundCheck:
    checkpoint = folder / found.checkpoint if found.checkpoint else None
    return replace(found, dataset=folder / found.dataset, checkpoint=checkpoint)
