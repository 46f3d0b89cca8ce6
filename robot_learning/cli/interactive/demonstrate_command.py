"""`robot-learning demonstrate`: demonstrations of the scripted expert, faster than real time."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `demonstrate`."""
    parser = subparsers.add_parser(
        "demonstrate",
        description="Simulate the task's scripted expert as fast as the machine allows and record "
        "its successful episodes. ROS is not needed.",
    )
    parser.add_argument("--task", default="lift", help="task to demonstrate")
    parser.add_argument("--robot", default="desk_arm", help="robot profile")
    parser.add_argument("--episodes", type=int, default=100, help="successful episodes to record")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset folder to record into")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the first episode; in a dataset that already has episodes, recording "
        "continues with the seeds after theirs",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.01,
        help="standard deviation (rad) of the noise on each arm joint (DART): it disturbs the arm, "
        "but not the recorded label; 0 for none",
    )
    parser.add_argument(
        "--cameras", nargs="*", default=[], help="cameras to record (default: none)"
    )
    parser.add_argument(
        "--image-size", default="96x96", metavar="HxW", help="height and width of the images"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Record, and say what was recorded."""
    from robot_learning.learning.evaluation.demonstrations import (
        DemonstrationConfig,
        record_demonstrations,
    )

    config = DemonstrationConfig(
        task=arguments.task,
        robot=arguments.robot,
        episodes=arguments.episodes,
        seed=arguments.seed,
        noise=arguments.noise,
        cameras=tuple(arguments.cameras),
        image_size_px=image_size(arguments.image_size) if arguments.cameras else None,
    )
    try:
        with progress_bar("recording", "episode") as progress:
            report = record_demonstrations(config, arguments.dataset, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; the episodes that were finished are in {arguments.dataset}, and the same "
            "command adds more to them"
        ) from None
    for name in report.recovered:
        print(f"recovered {name}, whose recording had been cut off")
    known = ""
    if report.before:
        known = (
            f"; {report.before + report.saved} with those recorded before, whose seeds continue at "
            f"{report.first_seed}"
        )
    print(
        f"{arguments.dataset}: {amount(report.saved, 'episode')}, {amount(report.rows, 'row')} in "
        f"{report.wall_s:.1f} s ({amount(report.discarded, 'failed episode')} discarded){known}"
    )
    return 0


def image_size(text: str) -> tuple[int, int]:
    """(height, width) from `96x96`.

    Raises:
        ConfigurationError: it is something else.
    """
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise ConfigurationError(f"--image-size {text}: expected HEIGHTxWIDTH, such as 96x96")
    return int(parts[0]), int(parts[1])
