"""`verify` and `repair`: is everything as it was recorded, and what can be brought back?"""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.episodes.store.description import rebuild_description
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset


def run_verify(arguments: argparse.Namespace) -> int:
    """Print the problems; 1 when there are any."""
    folder = DatasetFolder(Path(arguments.dataset))
    with progress_bar("verifying") as progress:
        problems = verify_dataset(folder, progress)
    for problem in problems:
        print(problem)
    if not problems:
        print(
            f"{folder.path}: {amount(len(folder.episode_names()), 'episode')}, everything is sound"
        )
    return 1 if problems else 0


def run_repair(arguments: argparse.Namespace) -> int:
    """Print what was done and what was lost; 1 when something was."""
    path = Path(arguments.dataset)
    rebuilt = rebuild_description(path)
    folder = DatasetFolder(path)
    with progress_bar("repairing") as progress:
        report = repair_dataset(folder, progress)
    report.actions[:0] = rebuilt
    for name, rows in report.recovered.items():
        print(f"recovered {name}: {amount(rows, 'row')}")
    for title, lines in (("", report.actions), ("lost: ", report.lost), ("", report.damaged)):
        for line in lines:
            print(f"{title}{line}")
    if not (report.recovered or report.actions or report.lost or report.damaged):
        print(f"{folder.path}: nothing to repair")
    return 1 if report.lost or report.damaged else 0
