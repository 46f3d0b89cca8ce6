"""`export`: a dataset in the format of another tool."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robot_learning.cli.common.console import make_console, progress_bar
from robot_learning.cli.dataset.selection import add_filters, open_chosen
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.amounts import amount

if TYPE_CHECKING:
    from robot_learning.cli.dataset.verb import Verbs

# The names in `episodes/exports/formats.py`, which is imported only when something is exported.
FORMATS = ("robomimic", "act", "lerobot")
_OPTIONS = {"act": ("compress", "sim"), "lerobot": ("codec", "crf", "state")}


def add_verbs(verbs: Verbs) -> None:
    """Add `export`."""
    parser = add_verb(
        verbs,
        "export",
        run_export,
        "write it in the format of another tool: robomimic, ACT/ALOHA, LeRobot",
        "Write the chosen episodes in the format of another tool, whole or not at all. Rows stay "
        "1/rate apart: with --valid-only an episode becomes one for each run of valid rows. "
        "Columns that hold NaN are left out and named.",
    )
    parser.add_argument(
        "destination", help="new file (robomimic) or folder (act, lerobot) to write"
    )
    parser.add_argument("--format", required=True, choices=FORMATS, help="format to write")
    parser.add_argument(
        "--valid-only", action="store_true", help="leave out invalid rows and rows without a label"
    )
    parser.add_argument(
        "--min-rows", type=int, default=2, help="drop runs of valid rows that are shorter than this"
    )
    add_filters(parser)
    act = parser.add_argument_group("act")
    act.add_argument(
        "--uncompressed",
        dest="compress",
        action="store_false",
        default=None,
        help="store frames as pixels, which the original ACT reads, instead of padded JPEG",
    )
    act.add_argument(
        "--real",
        dest="sim",
        action="store_false",
        default=None,
        help="mark the episodes as real: ACT's loaders then shift the actions by one row",
    )
    lerobot = parser.add_argument_group("lerobot")
    lerobot.add_argument("--codec", choices=("h264", "av1"), help="video codec (default: h264)")
    lerobot.add_argument(
        "--crf",
        type=int,
        help="constant rate factor of the codec; lower is better (default: 23 for h264, 30 for "
        "av1)",
    )
    lerobot.add_argument(
        "--state",
        action="append",
        metavar="KEY",
        help="observation that goes into observation.state; may be repeated "
        "(default: joint_position)",
    )


def run_export(arguments: argparse.Namespace) -> int:
    """Export, and say what was left out."""
    from robot_learning.core.errors import ConfigurationError
    from robot_learning.episodes.exports.exporter import export_dataset
    from robot_learning.episodes.exports.formats import EXPORTERS

    given = {name for names in _OPTIONS.values() for name in names}
    given = {name for name in given if getattr(arguments, name) is not None}
    extra = given - set(_OPTIONS.get(arguments.format, ()))
    if extra:
        raise ConfigurationError(
            f"--format {arguments.format} has no use for the option of {', '.join(sorted(extra))}"
        )
    options: dict[str, Any] = {name: getattr(arguments, name) for name in given}
    if "state" in options:
        options["state"] = tuple(options["state"])
    dataset = open_chosen(arguments)
    with progress_bar("exporting rows") as progress:
        report = export_dataset(
            dataset,
            Path(arguments.destination),
            EXPORTERS[arguments.format](**options),
            valid_only=arguments.valid_only,
            min_rows=arguments.min_rows,
            progress=progress,
        )
    console = make_console()
    console.print(
        f"{report.path}: {amount(report.episodes, 'episode')}, {amount(report.rows, 'row')} for "
        f"{arguments.format}",
        soft_wrap=True,
    )
    for path, why in report.left_out.items():
        console.print(f"left out: {path}: {why}", soft_wrap=True)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True)
    return 0
