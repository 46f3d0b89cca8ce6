"""What `robot-learning record` does: run the session and show what it recorded."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.cli.common.console import make_console, print_table
from robot_learning.cli.nodes.launch_options import launch_arguments
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.index import EpisodeSummary


def run(arguments: argparse.Namespace) -> int:
    """Run the session and show what it recorded; the exit code is the session's."""
    plan = TELEOP_RECORD.resolve(launch_arguments(arguments))
    recorder = plan.specs["recorder_node"]
    folder = Path()
    for parameters in recorder.parameters:
        if not isinstance(parameters, Path):
            folder = Path(str(parameters.get("dataset", folder))).expanduser()
    before = {summary.name for summary in _summaries(folder)}
    supervisor = Supervisor(plan)
    code = supervisor.run()
    saved = [summary for summary in _summaries(folder) if summary.name not in before]
    _show(folder, saved)
    supervisor.warnings.show()
    return code


def _summaries(folder: Path) -> list[EpisodeSummary]:
    """The episodes in a folder; none where there is no dataset yet."""
    try:
        return list(Dataset(folder).episodes)
    except RobotLearningError:
        return []


def _show(folder: Path, summaries: list[EpisodeSummary]) -> None:
    """What was recorded."""
    if not summaries:
        print(f"no episode was saved into {folder}")
        return
    table = Table("episode", "outcome", "rows", "invalid", "quality", title=str(folder))
    for summary in summaries:
        cells = (summary.rows, summary.invalid_rows, summary.verdict)
        table.add_row(summary.name, summary.outcome, *(str(cell) for cell in cells))
    print_table(make_console(), table)
    succeeded = sum(summary.outcome == "success" for summary in summaries)
    rows = sum(summary.rows for summary in summaries)
    print(
        f"{amount(len(summaries), 'episode')} saved, {succeeded} successful, {amount(rows, 'row')}"
    )
