"""`robot-learning record`: a recording session, with the nodes of `teleop_record.launch.py`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.bringup.groups import GROUPS
from robot_learning.cli.common.console import make_console, print_table
from robot_learning.cli.nodes.up_command import add_launch_options, launch_arguments
from robot_learning.core.amounts import amount

if TYPE_CHECKING:
    from robot_learning.episodes.store.index import EpisodeSummary

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

GROUP = "teleop_record"
FLAGS = {
    "resume": "continue a dataset that already has episodes",
    "dart": "add DART noise to the operator's command",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `record`; its options are the launch arguments, two of them as plain flags."""
    parser = subparsers.add_parser(
        "record",
        description="Record episodes into a dataset, with a reset between them. Starts the robot, "
        "the arbiter, the device and the recorder as ROS nodes.",
        epilog="Arguments may also be given as name:=value, as for ros2 launch.",
    )
    for name, text in FLAGS.items():
        parser.add_argument(
            f"--{name}",
            dest=f"launch_{name}",
            action="store_const",
            const="true",
            default=argparse.SUPPRESS,
            help=text,
        )
    add_launch_options(parser, GROUP, without=FLAGS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the session and show what it recorded; the exit code is the session's."""
    from robot_learning.cli.nodes.supervisor import Supervisor

    plan = GROUPS[GROUP].resolve(launch_arguments(arguments))
    recorder = plan.specs["recorder_node"]
    folder = Path()
    for parameters in recorder.parameters:
        if not isinstance(parameters, Path):
            folder = Path(str(parameters.get("dataset", folder))).expanduser()
    before = {summary.name for summary in _summaries(folder)}
    supervisor = Supervisor(plan)
    code = supervisor.run()
    saved = [summary for summary in _summaries(folder) if summary.name not in before]
    _show(folder, saved, supervisor.warnings.get("session_node", ""))
    return code


def _summaries(folder: Path) -> list[EpisodeSummary]:
    """The episodes in a folder; none where there is no dataset yet."""
    from robot_learning.core.errors import RobotLearningError
    from robot_learning.episodes.dataset.dataset import Dataset

    try:
        return list(Dataset(folder).episodes)
    except RobotLearningError:
        return []


def _show(folder: Path, summaries: list[EpisodeSummary], warning: str) -> None:
    """What was recorded; where nothing was, the session's last warning says why."""
    from rich.table import Table

    if not summaries:
        print(f"no episode was saved into {folder}" + (f": {warning}" if warning else ""))
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
