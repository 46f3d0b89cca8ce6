"""`robot-learning gate`: when an ensemble asks for help; `dagger` runs it in each round."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.policies.given_folders import check_checkpoint, check_dataset
from robot_learning.core.options.target_rate import TARGET_RATE


def add_parser(subparsers: Subparsers) -> None:
    """Add `gate`."""
    parser = subparsers.add_parser(
        "gate",
        description="Find thresholds for the members' disagreement (novelty) and for a learned "
        "risk such that each asks for help in a given share of the policy's steps (ThriftyDAgger). "
        "`robot-learning serve --members auto --gate auto` uses them.",
    )
    parser.add_argument("dataset", type=Path, help="folder of demonstrations and rounds")
    parser.add_argument("checkpoint", type=Path, help="checkpoint of the member that drives")
    parser.add_argument(
        "--members",
        nargs="+",
        type=Path,
        metavar="CHECKPOINT",
        help="checkpoints of the other members (default: those that dagger trained next to it)",
    )
    parser.add_argument(
        "--kind",
        choices=("ensemble", "thrifty"),
        default="thrifty",
        help="ensemble: ask because of novelty; thrifty: because of novelty or risk",
    )
    parser.add_argument(
        "--target-rate",
        type=float,
        default=TARGET_RATE,
        metavar="SHARE",
        help="share of the policy's steps in which each of the two asks",
    )
    parser.add_argument("--robot", help="robot profile (default: the robot of the dataset)")
    parser.add_argument("--seed", type=int, default=0, help="seed for learning the risk")
    parser.add_argument(
        "--out",
        type=Path,
        help="output folder; an older gate in it is replaced (default: next to the checkpoint)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find the gate, write it, and say what it is."""
    check_dataset(arguments.dataset)
    for folder in (arguments.checkpoint, *(arguments.members or ())):
        check_checkpoint(folder)
    from robot_learning.learning.interactive.recorded_gate import GateSettings, write_recorded_gate

    settings = GateSettings(
        kind=arguments.kind, target_rate=arguments.target_rate, seed=arguments.seed
    )
    print(
        write_recorded_gate(
            arguments.dataset,
            arguments.checkpoint,
            settings,
            members=arguments.members or (),
            folder=arguments.out,
            robot=arguments.robot,
        )
    )
    return 0
