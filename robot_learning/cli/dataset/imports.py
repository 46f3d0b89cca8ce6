"""`import`: recordings of other tools as a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import make_console, progress_bar
from robot_learning.core.amounts import amount

if TYPE_CHECKING:
    from robot_learning.cli.dataset.verb import Verbs
    from robot_learning.episodes.imports.importer import Importer

# The names in `episodes/imports/formats.py`, which is imported only when something is imported.
FORMATS = ("rosbag", "act", "robomimic")
_MOST_NOTES = 20


def add_verbs(verbs: Verbs) -> None:
    """Add `import`."""
    parser = verbs.add_parser(
        "import",
        help="import a ROS bag, or files of ACT or robomimic",
        description="Import a ROS 2 bag (MCAP or SQLite3), or HDF5 files of ACT or robomimic, into "
        "a new or existing dataset. Every episode records where it came from.",
    )
    parser.add_argument(
        "source",
        help="rosbag: folder or file; act: folder of episode_<i>.hdf5; robomimic: HDF5 file",
    )
    parser.add_argument("dataset", help="folder of the dataset")
    parser.add_argument("--format", required=True, choices=FORMATS, help="format of the source")
    parser.add_argument(
        "--robot", required=True, help="robot profile (see `robot-learning robots`), or a new name"
    )
    parser.add_argument("--task", default="imported", help="name of the task in the dataset")
    parser.add_argument("--instruction", default="", help="the task in words (default: none)")
    parser.add_argument(
        "--rate-hz",
        type=float,
        help="rows per second; required for act and robomimic, whose files do not state it "
        "(default for rosbag: 50)",
    )
    files = parser.add_argument_group("act, robomimic")
    files.add_argument("--jpeg", action="store_true", help="store uncompressed images as JPEG")
    bag = parser.add_argument_group("rosbag")
    bag.add_argument(
        "--by",
        choices=("whole", "demonstration", "control"),
        default="whole",
        help="what becomes an episode: the whole bag, each demonstration that arbiter/state "
        "numbers, or each period in which somebody is in control",
    )
    bag.add_argument(
        "--namespace", default="", help="namespace of the topics, such as /left (default: none)"
    )
    bag.add_argument(
        "--remap",
        action="append",
        default=[],
        metavar="OURS=THEIRS",
        help="read a topic under another name, such as joint_states=/robot/joints; may be repeated",
    )
    bag.add_argument("--lossless", action="store_true", help="store raw images without compression")
    bag.add_argument(
        "--skip-broken", action="store_true", help="leave out messages that cannot be read"
    )
    parser.set_defaults(run=run_import)


def run_import(arguments: argparse.Namespace) -> int:
    """Import, and say what was left out."""
    from robot_learning.episodes.imports.importer import import_dataset

    importer = _rosbag(arguments) if arguments.format == "rosbag" else _nominal(arguments)
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


def _rosbag(arguments: argparse.Namespace) -> Importer:
    from robot_learning.core.errors import ConfigurationError
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.episodes.imports.rosbag import RosbagImporter

    remap = {}
    for item in arguments.remap:
        ours, sign, theirs = item.partition("=")
        if not (ours and sign and theirs):
            raise ConfigurationError(f"--remap {item}: expected OURS=THEIRS")
        remap[ours] = theirs
    return RosbagImporter(
        load_profile(arguments.robot),
        rate_hz=50.0 if arguments.rate_hz is None else arguments.rate_hz,
        task=arguments.task,
        instruction=arguments.instruction,
        namespace=arguments.namespace,
        remap=remap,
        by=arguments.by,
        lossless=arguments.lossless,
        skip_broken=arguments.skip_broken,
    )


def _nominal(arguments: argparse.Namespace) -> Importer:
    from robot_learning.core.errors import ConfigurationError
    from robot_learning.core.profile_loader import load_profile
    from robot_learning.core.resources import available_robots
    from robot_learning.episodes.imports.act import ActImporter
    from robot_learning.episodes.imports.nominal import NominalOptions
    from robot_learning.episodes.imports.robomimic import RobomimicImporter

    if arguments.rate_hz is None:
        raise ConfigurationError(
            f"--rate-hz is missing: files of {arguments.format} do not say how far their rows are "
            "apart (ALOHA's are recorded at 50 Hz, robosuite's at 20 Hz)"
        )
    # Somebody else's robot need not have a profile here.
    known = arguments.robot in available_robots() or Path(arguments.robot).exists()
    profile = load_profile(arguments.robot) if known else None
    options = NominalOptions(
        robot=profile.name if profile else arguments.robot,
        rate_hz=arguments.rate_hz,
        task=arguments.task,
        instruction=arguments.instruction,
        profile=profile,
        encode_images=arguments.jpeg,
    )
    return ActImporter(options) if arguments.format == "act" else RobomimicImporter(options)
