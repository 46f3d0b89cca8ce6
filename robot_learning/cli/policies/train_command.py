"""`robot-learning train`: a policy from a dataset."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import POLICY_FAMILIES

if TYPE_CHECKING:
    from robot_learning.learning.training.config import TrainConfig

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = """\
The policy sees the joints, the end effectors and every camera of the dataset; what it sees is
printed before training starts. Failed demonstrations are left out. Ctrl-C saves the state of the
training, and --resume continues it.

on several GPUs or machines:
  torchrun --nproc-per-node 2 --no-python \\
      robot-learning train DATASET --policy act --out runs/act
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `train`."""
    parser = subparsers.add_parser(
        "train",
        trains=True,
        description="Train a policy on a dataset. The output folder holds the checkpoints (best, "
        "last), the settings, metrics.csv, TensorBoard events, and the state that --resume needs.",
        epilog=_EPILOG,
    )
    parser.add_argument("dataset", type=Path, nargs="?", help="folder of the dataset")
    parser.add_argument(
        "--policy",
        help="policy family (required unless --resume is given): " + ", ".join(POLICY_FAMILIES),
    )
    parser.add_argument(
        "--preset",
        default="small",
        help="small, or reference (the size in the paper)",
    )
    parser.add_argument("--out", type=Path, help="output folder (default: runs/TASK-POLICY)")
    parser.add_argument("--seed", type=int, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: set by the preset)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, such as optimizer.learning_rate=1e-4, policy.hidden='[256, 256]' "
        "or data.action_steps=8; may be repeated (see --list-settings)",
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted training")
    parser.add_argument(
        "--list-settings",
        action="store_true",
        help="list every setting with its type, default and range, then exit; with --policy, the "
        "defaults of that family's preset and the settings of the policy itself",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, and say where the checkpoint is; or list the settings."""
    # Told at once: what trains a policy takes seconds to load.
    if arguments.policy not in (None, *POLICY_FAMILIES):
        raise ConfigurationError(unknown_choice("policy family", arguments.policy, POLICY_FAMILIES))
    if arguments.list_settings:
        print("\n".join(_setting_lines(arguments)))
        return 0
    if arguments.dataset is None:
        raise ConfigurationError("name the folder of a dataset; --list-settings needs none")
    return _train(arguments)


def _setting_lines(arguments: argparse.Namespace) -> list[str]:
    """Each setting that `--set` takes, with the defaults of the preset when a family is named."""
    from robot_learning.learning.training.config import TrainConfig
    from robot_learning.learning.training.presets import preset
    from robot_learning.learning.training.setting_list import settings_of
    from robot_learning.policies.config import with_overrides
    from robot_learning.policies.families import family_named

    family = arguments.policy
    config = preset(family, arguments.preset) if family else TrainConfig()
    given_otherwise = ("family", "policy")
    found = [each for each in settings_of(config) if each.name not in given_otherwise]
    if not family:
        note = (
            "Defaults depend on the policy; --policy FAMILY shows them, with the policy.* settings."
        )
        return [*(each.line for each in found), "", note]
    policy = with_overrides(family_named(family).config, config.policy)
    return [each.line for each in (*found, *settings_of(policy, "policy."))]


def _train(arguments: argparse.Namespace) -> int:
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.learning.evaluation.simulation import rollout_for
    from robot_learning.learning.training.distributed import is_first_process
    from robot_learning.learning.training.interruption import terminated_like_interrupted
    from robot_learning.learning.training.trainer import train

    dataset = Dataset(arguments.dataset)
    config, folder = _config(arguments, dataset.info.task)
    try:
        with terminated_like_interrupted():
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
    print(result.summary)
    return 0


def _stopped(arguments: argparse.Namespace, folder: Path, steps: int) -> str:
    """Where it stopped, and how it goes on."""
    from robot_learning.learning.training.training_state import saved_step

    step = saved_step(folder)
    if step is None:
        return f"stopped before anything was saved in {folder}; the same command begins again"
    command = ["robot-learning", "train", str(arguments.dataset), "--out", str(folder), "--resume"]
    return (
        f"stopped; {step} of {amount(steps, 'step is', 'steps are')} saved. To go on: "
        f"{shlex.join(command)}"
    )


def _config(arguments: argparse.Namespace, task: str) -> tuple[TrainConfig, Path]:
    from robot_learning.learning.training.config import parse_overrides
    from robot_learning.learning.training.presets import preset
    from robot_learning.learning.training.run_folder import read_config

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
