"""`export`: a dataset in the format of another tool."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from robot_learning.cli.common.console import make_console, progress_bar
from robot_learning.cli.dataset.chosen import open_chosen
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.formats import EXPORTERS

_OPTIONS = {"act": ("compress", "sim"), "lerobot": ("codec", "crf", "state", "version")}


def run_export(arguments: argparse.Namespace) -> int:
    """Export, and say what was left out."""
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
