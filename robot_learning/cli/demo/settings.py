"""The sizes and folders of the demonstration of the whole loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast1, Positive
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED


@dataclass(frozen=True)
class DemoSettings:
    """Sizes that fit three minutes on two slow cores.

    Attributes:
        folder: output folder of everything that is made.
        robot: profile of the simulated robot.
        task: name of a task that has a scripted expert.
        seed: seed of the first scene; the two recordings see the same scenes.
        demonstrations: number of episodes in each of the two recordings.
        dart_sigma: standard deviation of the noise on every arm joint, rad.
        rounds: number of rounds of HG-DAgger.
        episodes_per_round: number of episodes in each round, which the policy drives.
        episode_timeout_s: simulated duration after which an episode has failed, s.
        step_in_s: time without progress of the policy after which the operator takes over, s.
        steps: number of optimiser steps of each training.
        evaluations: number of episodes of each evaluation, the same ones for every policy.
        evaluation_seed: seed of the first episode of an evaluation.
        real_time: whether each node is a process that runs in real time, instead of all nodes
            in lockstep on simulated time.
    """

    folder: Path
    robot: str = "desk_arm"
    task: str = "obstacle"
    seed: int = 0
    demonstrations: AtLeast1 = 6
    dart_sigma: float = 0.03
    rounds: AtLeast1 = 2
    episodes_per_round: AtLeast1 = 5
    episode_timeout_s: Positive = 8.0
    step_in_s: Positive = 4.0
    steps: AtLeast1 = 4000
    evaluations: AtLeast1 = 100
    evaluation_seed: int = FIRST_HELD_OUT_SEED
    real_time: bool = False

    def __post_init__(self) -> None:
        check(self)

    @property
    def dataset(self) -> Path:
        """The demonstrations without noise, and later the rounds."""
        return self.folder / "dataset"

    @property
    def dart_dataset(self) -> Path:
        """The demonstrations with noise."""
        return self.folder / "dataset_dart"

    @property
    def dagger_run(self) -> Path:
        """The run of the rounds."""
        return self.folder / "dagger"

    @property
    def training(self) -> tuple[str, ...]:
        """Settings of every training, as for `train --set`."""
        return (
            f"steps={self.steps}",
            f"save_every_steps={self.steps}",
            "batch_size=128",
            "policy.hidden=[256, 256]",
            # So few episodes are all needed; how good a policy is, the evaluation says.
            "data.validation_share=0",
            "data.expert_labels_only=true",
            "validation.rollout_episodes=0",
            f"validation.every_steps={self.steps}",
            "compute.threads=1",
            "compute.device=cpu",
        )


def prepare_folder(folder: Path) -> None:
    """Make the folder of the results.

    Raises:
        ConfigurationError: something is in it already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"--out {folder}: holds something already; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
