"""What `robot-learning prefer collect` does."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.interactive.rl_run import environment_arguments
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import LockHeldError, locked
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.preferences.dataset_segments import dataset_segments
from robot_learning.learning.preferences.ranking_file import RANKINGS_NAME
from robot_learning.learning.preferences.segments import SEGMENTS_NAME, Segments, save_segments
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.segment_rollouts import Driver, collect_segments
from robot_learning.learning.training.config import parse_overrides
from robot_learning.policies.trained_policy import load_policy

_MIX = (0.0, 0.3, 0.6, 1.0)
_EPISODES = 25


def collect(arguments: argparse.Namespace) -> int:
    """Collect segments into a folder that has none.

    Raises:
        RobotLearningError: an option, the environment or the dataset is wrong.
    """
    folder: Path = arguments.folder
    for name in (SEGMENTS_NAME, RANKINGS_NAME):
        if (folder / name).exists():
            raise ConfigurationError(
                f"{folder}: holds {name} already, and rankings are of the segments that are there; "
                "choose another folder"
            )
    segments = _from_dataset(arguments) if arguments.dataset else _from_environment(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            save_segments(folder, segments)
    except LockHeldError:
        raise ConfigurationError(f"{folder}: another process works in it; end it first") from None
    rank = ["robot-learning", "prefer", "rank", str(folder), *_given_source(arguments)]
    print(
        f"{amount(len(segments), 'segment')} of {amount(segments.length, 'step')} in {folder}; "
        f"next: {shlex.join(rank)}"
    )
    return 0


def _given_source(arguments: argparse.Namespace) -> list[str]:
    """The options that say where the segments are from, which the file alone cannot."""
    if arguments.dataset:
        return ["--dataset", str(arguments.dataset)]
    sets = [text for each in arguments.env_set for text in ("--env-set", each)]
    return ["--env", arguments.env, *sets]


def _from_environment(arguments: argparse.Namespace) -> Segments:
    if arguments.mix and not arguments.policy:
        raise ConfigurationError("--mix: only with --policy; without one all actions are random")
    policies = [load_policy(folder) for folder in arguments.policy]
    drivers = [Driver(policy, share) for policy in policies for share in arguments.mix or _MIX]
    given: dict[str, Any] = parse_overrides(arguments.env_set)
    with progress_bar("collecting", "episode") as show:
        return collect_segments(
            arguments.env,
            environment_arguments(arguments.env, given, ReinforcementConfig().discount),
            drivers or [Driver(None)],
            episodes=_EPISODES if arguments.episodes is None else arguments.episodes,
            length=arguments.length,
            per_episode=arguments.per_episode,
            seed=arguments.seed or 0,
            progress=show,
        )


def _from_dataset(arguments: argparse.Namespace) -> Segments:
    plays = {
        "--policy": arguments.policy or None,
        "--env-set": arguments.env_set or None,
        "--mix": arguments.mix,
        "--episodes": arguments.episodes,
        "--seed": arguments.seed,
    }
    idle = [option for option, value in plays.items() if value is not None]
    if idle:
        raise ConfigurationError(f"{', '.join(idle)}: only with --env; a dataset is only read")
    dataset = Dataset(arguments.dataset)
    return dataset_segments(dataset, arguments.length, arguments.per_episode)
