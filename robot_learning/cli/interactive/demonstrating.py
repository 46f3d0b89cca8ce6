"""What `robot-learning demonstrate` does: record the scripted expert, and say what was recorded."""

from __future__ import annotations

import argparse

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)


def run(arguments: argparse.Namespace) -> int:
    """Record, and say what was recorded."""
    config = DemonstrationConfig(
        task=arguments.task,
        robot=arguments.robot,
        episodes=arguments.episodes,
        seed=arguments.seed,
        noise=arguments.noise,
        cameras=tuple(arguments.cameras),
        resume=arguments.resume,
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
