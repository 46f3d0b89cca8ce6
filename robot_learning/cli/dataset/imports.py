"""`import`: recordings of other tools as a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.console import make_console, progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import available_robots
from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import Importer, import_dataset
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.imports.robomimic import RobomimicImporter
from robot_learning.episodes.imports.rosbag import RosbagImporter

_MOST_NOTES = 20
# Options that only some formats have a use for: the name of each, and its formats.
_ONLY = {
    "units": ("lerobot",),
    "rate_hz": ("rosbag", "act", "robomimic"),
    "jpeg": ("act", "robomimic", "lerobot"),
    **dict.fromkeys(("by", "namespace", "remap", "lossless", "skip_broken"), ("rosbag",)),
}


def run_import(arguments: argparse.Namespace) -> int:
    """Import, and say what was left out."""
    importer = _importer(arguments)
    unit = "messages" if arguments.format == "rosbag" else "episodes"
    with progress_bar(f"importing {unit}") as progress:
        report = import_dataset(
            Path(arguments.source), Path(arguments.dataset), importer, progress=progress
        )
    console = make_console()
    console.print(
        f"{report.path}: {amount(len(report.episodes), 'episode')}, {amount(report.rows, 'row')}, "
        f"{report.invalid_rows} of them invalid",
        soft_wrap=True,
    )
    for note in report.notes[:_MOST_NOTES]:
        console.print(f"note: {note}", soft_wrap=True)
    if len(report.notes) > _MOST_NOTES:
        console.print(f"and {amount(len(report.notes) - _MOST_NOTES, 'more note')}")
    # All of it: what is not listed would be lost without a word.
    for item, why in report.left_out.items():
        console.print(f"left out: {item}: {why}", soft_wrap=True)
    return 0


def _importer(arguments: argparse.Namespace) -> Importer:
    for name, formats in _ONLY.items():
        if getattr(arguments, name) is not None and arguments.format not in formats:
            option = name.replace("_", "-")
            raise ConfigurationError(f"--format {arguments.format} has no use for --{option}")
    if arguments.format == "rosbag":
        return _rosbag(arguments)
    return _lerobot(arguments) if arguments.format == "lerobot" else _nominal(arguments)


def _rosbag(arguments: argparse.Namespace) -> Importer:
    remap = {}
    for item in arguments.remap or ():
        ours, sign, theirs = item.partition("=")
        if not (ours and sign and theirs):
            raise ConfigurationError(f"--remap {item}: expected OURS=THEIRS")
        remap[ours] = theirs
    return RosbagImporter(
        load_profile(arguments.robot),
        rate_hz=50.0 if arguments.rate_hz is None else arguments.rate_hz,
        task=arguments.task,
        instruction=arguments.instruction,
        namespace=arguments.namespace or "",
        remap=remap,
        by=arguments.by or "whole",
        lossless=bool(arguments.lossless),
        skip_broken=bool(arguments.skip_broken),
    )


def _nominal(arguments: argparse.Namespace) -> Importer:
    if arguments.rate_hz is None:
        raise ConfigurationError(
            f"--rate-hz is missing: files of {arguments.format} do not say how far their rows are "
            "apart (ALOHA's are recorded at 50 Hz, robosuite's at 20 Hz)"
        )
    profile = _known_profile(arguments.robot)
    options = NominalOptions(
        robot=profile.name if profile else arguments.robot,
        rate_hz=arguments.rate_hz,
        task=arguments.task,
        instruction=arguments.instruction,
        profile=profile,
        encode_images=bool(arguments.jpeg),
    )
    return ActImporter(options) if arguments.format == "act" else RobomimicImporter(options)


def _lerobot(arguments: argparse.Namespace) -> Importer:
    profile = _known_profile(arguments.robot)
    return LeRobotImporter(
        robot=profile.name if profile else arguments.robot,
        task=arguments.task,
        instruction=arguments.instruction,
        profile=profile,
        encode_images=bool(arguments.jpeg),
        units=arguments.units or "stored",
    )


def _known_profile(robot: str) -> RobotProfile | None:
    """The robot's profile; None where there is none, as somebody else's robot need not have one."""
    known = robot in available_robots() or Path(robot).exists()
    return load_profile(robot) if known else None
