"""What `robot-learning train` does: train, and say how to go on where it was stopped."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.vocabulary import POLICY_FAMILIES
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.simulation import rollout_for
from robot_learning.learning.training.config import TrainConfig, parse_overrides
from robot_learning.learning.training.distributed import is_first_process
from robot_learning.learning.training.interruption import terminated_like_interrupted
from robot_learning.learning.training.presets import preset
from robot_learning.learning.training.run_folder import read_config
from robot_learning.learning.training.trainer import train as train_policy
from robot_learning.learning.training.training_state import saved_step


def train(arguments: argparse.Namespace) -> int:
    """Train, and say where the checkpoint is."""
    dataset = Dataset(arguments.dataset)
    config, folder = _config(arguments, dataset.info.task)
    try:
        with terminated_like_interrupted():
            result = train_policy(
                dataset,
                config,
                folder,
                resume=arguments.resume,
                rollout=rollout_for(dataset, config),
                show_progress=True,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(arguments, folder, config.steps)) from None
    if not is_first_process():
        return 0
    print(result.summary)
    return 0


def _stopped(arguments: argparse.Namespace, folder: Path, steps: int) -> str:
    """Where it stopped, and how it goes on."""
    step = saved_step(folder)
    if step is None:
        return f"stopped before anything was saved in {folder}; the same command begins again"
    command = ["robot-learning", "train", str(arguments.dataset), "--out", str(folder), "--resume"]
    return (
        f"stopped; {step} of {amount(steps, 'step is', 'steps are')} saved. To continue: "
        f"{shlex.join(command)}"
    )


def _config(arguments: argparse.Namespace, task: str) -> tuple[TrainConfig, Path]:
    folder = arguments.out
    if arguments.resume and folder is not None:
        config = read_config(folder)
        if arguments.policy and arguments.policy != config.family:
            raise ConfigurationError(f"{folder} trains '{config.family}', not {arguments.policy}")
    elif arguments.policy:
        config = preset(arguments.policy, arguments.preset)
    else:
        raise ConfigurationError(f"name a policy with --policy: {', '.join(POLICY_FAMILIES)}")
    given = {"seed": arguments.seed, "steps": arguments.steps}
    config = config.with_values({k: v for k, v in given.items() if v is not None})
    config = config.with_values(parse_overrides(arguments.set))
    return config, folder or Path("runs") / f"{task}-{config.family}"
