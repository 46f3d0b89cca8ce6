"""`robot-learning gate`: when an ensemble asks for help; `dagger` runs it in each round."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import best_checkpoint, ensemble_members, gate_folder
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.policies.gate_folder import Gate

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `gate`."""
    parser = subparsers.add_parser(
        "gate",
        help="find the thresholds of doubt and risk above which an ensemble asks for help",
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
        help="checkpoints of the other members (default: those that dagger trained beside it)",
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
        default=0.1,
        metavar="SHARE",
        help="share of the policy's steps in which each of the two asks",
    )
    parser.add_argument("--robot", help="robot profile (default: the robot of the dataset)")
    parser.add_argument("--seed", type=int, default=0, help="seed for learning the risk")
    parser.add_argument(
        "--out",
        type=Path,
        help="output folder; an older gate in it is replaced (default: beside the checkpoint)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Find it out, write it, and say what was found.

    Raises:
        RobotLearningError: there are no further members, dataset, checkpoints and robot do not fit
            each other, or the folder is another one's.
    """
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.learning.interactive.recorded_gate import GateSettings, recorded_gate
    from robot_learning.learning.training.bad_timing import without_bad_timing
    from robot_learning.learning.training.threads import one_thread
    from robot_learning.policies.checkpoint import load_checkpoint
    from robot_learning.policies.gate_folder import refuse_other_folder, save_gate

    settings = GateSettings(
        kind=arguments.kind, target_rate=arguments.target_rate, seed=arguments.seed
    )
    checkpoint = best_checkpoint(arguments.checkpoint)
    place = arguments.out or gate_folder(checkpoint)
    refuse_other_folder(place)
    first = load_checkpoint(checkpoint)
    trained = first.details.training.get("config", {}).get("data", {})
    keep = bool(trained.get("keep_bad_timing", False))
    dataset = without_bad_timing(Dataset(arguments.dataset), keep)
    others = arguments.members or ensemble_members(checkpoint)
    if not others:
        raise ConfigurationError(
            f"{checkpoint}: no further members of its ensemble lie beside it; name them "
            "with --members"
        )
    members = [first, *(load_checkpoint(folder) for folder in others)]
    profile = load_profile(arguments.robot or dataset.info.robot)
    with one_thread():
        gate = recorded_gate(dataset, members, profile, settings)
    save_gate(place, gate, first.details)
    print(f"{place}: {gate_text(gate)}")
    return 0


def gate_text(gate: Gate) -> str:
    """A gate in a line."""
    source, limits = gate.source, gate.thresholds
    rows = f"by {amount(source['rows'], 'row')} of {source['rows_of']}"
    if gate.critic is not None:
        ends = (
            f"{amount(source['succeeded'], 'episode')} that succeeded and {source['failed']} that "
            "failed"
        )
        risk = f" or risk above {limits.risk:.3g}, learnt from {ends}"
    elif source["kind"] == "thrifty":
        risk = "; no risk yet: that takes episodes that succeeded and such that failed"
    else:
        risk = ""
    return f"asks for help with doubt above {limits.doubt:.3g}{risk}; {rows}"
