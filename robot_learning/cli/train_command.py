"""`robot-learning train`: a policy from a dataset."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.learning.config import TrainConfig

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = """\
example:
  robot-learning train data/lift --policy act --out runs/lift --set optimizer.learning_rate=1e-4

It sees the joints, the hands and every camera of the dataset, says so before it starts, and leaves
out demonstrations that failed. Ctrl-C saves its state; --resume goes on.

several processes or machines:
  torchrun --nproc-per-node 2 --no-python robot-learning train DATASET --policy act --out runs/act
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a policy on a dataset",
        description="Train a policy. The folder of the run holds the checkpoints (best, last), "
        "the settings, metrics.csv, TensorBoard's events, and what a killed training resumes from.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=Path, help="folder of the dataset")
    parser.add_argument(
        "--policy",
        help="family of the policy (needed unless --resume): "
        "deterministic, gaussian, gmm, rnn_gmm, act, autoregressive, diffusion, flow",
    )
    parser.add_argument(
        "--preset",
        default="small",
        help="small, or reference (the paper's size); default: %(default)s",
    )
    parser.add_argument("--out", type=Path, help="folder of the run; default: runs/TASK-POLICY")
    parser.add_argument("--seed", type=int, help="of everything random; default: 0")
    parser.add_argument("--steps", type=int, help="of the optimiser; default: the preset's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting: optimizer.learning_rate=1e-4, policy.hidden='[256, 256]', "
        "data.action_steps=8, validation.rollout_episodes=50, …; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="go on with a killed training")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, and say where the checkpoint is."""
    from robot_learning.episodes.dataset import Dataset
    from robot_learning.learning.distributed import is_first_process
    from robot_learning.learning.simulation import rollout_for
    from robot_learning.learning.trainer import train

    dataset = Dataset(arguments.dataset)
    config, folder = _config(arguments, dataset.info.task)
    try:
        result = train(
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
    best = ", ".join(f"{name} {value:.4g}" for name, value in result.best.items())
    early = ", stopped early" if result.stopped_early else ""
    print(
        f"{result.checkpoint}: {result.steps} steps in {result.wall_s:.0f} s{early}; best: {best}"
    )
    return 0


def _stopped(arguments: argparse.Namespace, folder: Path, steps: int) -> str:
    """Where it stopped, and how it goes on."""
    from robot_learning.learning.training_state import saved_step

    step = saved_step(folder)
    if step is None:
        return f"stopped before anything was saved in {folder}; the same command begins again"
    command = ["robot-learning", "train", str(arguments.dataset), "--out", str(folder), "--resume"]
    return f"stopped; {step} of {steps} steps are saved. To go on: {shlex.join(command)}"


def _config(arguments: argparse.Namespace, task: str) -> tuple[TrainConfig, Path]:
    from robot_learning.learning.config import parse_overrides
    from robot_learning.learning.presets import preset
    from robot_learning.learning.run_folder import read_config

    folder = arguments.out
    if arguments.resume and folder is not None:
        config = read_config(folder)
        if arguments.policy and arguments.policy != config.family:
            raise ConfigurationError(f"{folder} trains '{config.family}', not {arguments.policy}")
    elif arguments.policy:
        config = preset(arguments.policy, arguments.preset)
    else:
        from robot_learning.policies.families import FAMILIES

        raise ConfigurationError(f"name a policy with --policy: {', '.join(FAMILIES)}")
    given = {"seed": arguments.seed, "steps": arguments.steps}
    config = config.with_values({k: v for k, v in given.items() if v is not None})
    config = config.with_values(parse_overrides(arguments.set))
    return config, folder or Path("runs") / f"{task}-{config.family}"
