"""`robot-learning train`: a policy from a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.policies.given_folders import check_dataset
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.vocabulary import POLICY_FAMILIES

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
        from robot_learning.cli.policies.setting_list import setting_lines

        print("\n".join(setting_lines(arguments)))
        return 0
    if arguments.dataset is None:
        raise ConfigurationError("name the folder of a dataset; --list-settings needs none")
    _check_folders(arguments)
    from robot_learning.cli.policies.training import train

    return train(arguments)


def _check_folders(arguments: argparse.Namespace) -> None:
    check_dataset(arguments.dataset)
    if arguments.resume and arguments.out and not arguments.out.is_dir():
        raise ConfigurationError(f"{arguments.out}: there is no training here: no such folder")
