"""`robot-learning relabel`: labels for recorded rollouts, by an expert or by a person."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.dataset.selection import ALL_ROWS, SOURCES, add_filters
from robot_learning.core.errors import ConfigurationError
from robot_learning.relabeling.choice import DEVICES

BY_EXPERT = "expert"
STEP, SEGMENT = "step", "segment"

_EPILOG = """\
Recorded data are never changed. The labels form a layer of their own, which says who made it, when,
how, and for which rows; the newest layer that covers a row decides its action. An expert does not
overwrite rows that a person has labelled. `--remove` takes a layer out of use and `--restore`
brings it back. With a device, every label is on disk before the next row is shown: if the command
is interrupted, give it again to continue.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `relabel`."""
    parser = subparsers.add_parser(
        "relabel",
        description="Go through recorded episodes and add corrective actions for their states.",
        epilog=_EPILOG,
    )
    parser.add_argument("dataset", help="folder of the dataset")
    parser.add_argument(
        "episodes",
        nargs="*",
        default=[],
        metavar="episode",
        help="numbers, ranges such as 3-7, file names, or 'last' (default: all that match)",
    )
    parser.add_argument("--list", action="store_true", help="list the label layers")
    parser.add_argument(
        "--remove",
        type=int,
        metavar="LAYER",
        help="take the layer with this number (see --list) out of use; it stays in the file",
    )
    parser.add_argument("--restore", type=int, metavar="LAYER", help="bring a removed layer back")
    parser.add_argument(
        "--over-hand",
        action="store_true",
        help="let an expert also label rows that a person has labelled (default: it skips them)",
    )
    parser.add_argument(
        "--by", choices=(BY_EXPERT,), default=BY_EXPERT, help="who labels (default: %(default)s)"
    )
    _add_device_options(parser)
    parser.add_argument(
        "--expert",
        metavar="EXPERT",
        help="a task whose scripted expert labels, such as lift, or MODULE:CALLABLE, any callable "
        "(observation, info) -> action (default: the scripted expert of the dataset's task)",
    )
    parser.add_argument(
        "--author",
        help="name stored with the labels (default: the expert, or the current user with a device)",
    )
    add_filters(parser)
    rows = parser.add_argument_group("choose rows")
    rows.add_argument(
        "--rows",
        default=ALL_ROWS,
        metavar="FIRST:END",
        help="a Python slice such as 25: or :-10 (default: all)",
    )
    rows.add_argument(
        "--only",
        choices=SOURCES,
        default="",
        help="only rows in which this source was in control (default: all rows)",
    )
    rows.add_argument(
        "--every",
        type=int,
        metavar="N",
        default=1,
        help="label every N-th of these rows (default: 1)",
    )
    parser.set_defaults(run=run)


def _add_device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "with a teleoperation device",
        "The device moves a ghost arm, which starts where the recorded arm stood (in the simulated "
        "scene, if the scene is known). Nothing else moves.",
    )
    group.add_argument("--device", metavar="NAME", help=f"one of {', '.join(DEVICES)}")
    group.add_argument(
        "--method",
        choices=(STEP, SEGMENT),
        default=STEP,
        help="step: the ghost is put back to each row, and the device's action there is the label; "
        "segment: the ghost starts at the first of --rows and you demonstrate from there; without "
        "--rows the recording plays until the start key marks the segment (default: step)",
    )
    group.add_argument(
        "--map",
        default="",
        help="key map of the device: a shipped name or a YAML file (default: the device's own)",
    )
    group.add_argument(
        "--speed",
        type=float,
        help="playback speed; 1 is the speed of the recording (default: 0.2 by step, 1 by segment)",
    )
    group.add_argument(
        "--restart",
        action="store_true",
        help="start over instead of continuing an interrupted session, whose labels are moved to "
        "the trash",
    )
    group.add_argument("--anew", dest="restart", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--window", action="store_true", help="show the ghost in MuJoCo's window")
    group.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="JPEG file, redrawn five times a second, with the recorded frames and the ghost",
    )


def run(arguments: argparse.Namespace) -> int:
    """Relabel, and say what was labelled.

    Raises:
        RobotLearningError: what was asked for cannot be labelled so.
    """
    _refuse_without_device(arguments)
    from robot_learning.cli.relabel.relabeling import relabel

    return relabel(arguments)


def _refuse_without_device(arguments: argparse.Namespace) -> None:
    """Else the expert would label what a person wanted to."""
    names = [
        name for name in ("map", "speed", "restart", "window", "picture") if vars(arguments)[name]
    ]
    if arguments.method != STEP:
        names.insert(0, "method")
    if names and not (arguments.device or arguments.list):
        raise ConfigurationError(f"--{', --'.join(names)}: only with --device NAME")
