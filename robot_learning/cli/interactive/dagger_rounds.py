"""What `robot-learning dagger` does without `--env`: rounds over ROS nodes, and their table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.plan import LaunchPlan
from robot_learning.cli.interactive.rounds_view import rounds_view
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.headers.rounds_header import NAME
from robot_learning.learning.training.config import (
    check_values,
    parse_overrides,
    parse_settings,
)


def run_rounds(shared: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """Run the rounds, with a table of them; the exit code is that of the nodes.

    `shared` are the values of the options that `--env` has too, by name; `given` are the launch
    arguments.

    Raises:
        ConfigurationError: an argument or a setting of the training is wrong; nothing was started.
    """
    arguments = {**_launch_arguments(shared), **given}
    check_values(parse_settings(arguments.get("settings", "")))
    plan = DAGGER.resolve(arguments)
    # A person's status line has the terminal for itself.
    drawn = sys.stdout.isatty() and any(node.owns_terminal for node in plan.nodes)
    supervisor = Supervisor(plan)
    with rounds_view(_run_folder(plan), live=not drawn):
        code = supervisor.run()
    supervisor.warnings.show()
    if supervisor.interrupted and (_run_folder(plan) / NAME).is_file():
        print(f"stopped. To go on: {_parameter(plan, 'resume_command')}")
    return code


def _launch_arguments(shared: Mapping[str, Any]) -> dict[str, str]:
    """The shared options as launch arguments."""
    values = dict(shared)
    settings = parse_overrides(values.pop("set"))
    resume = str(values.pop("resume")).lower()
    given = {name: str(value) for name, value in values.items() if value is not None}
    if settings:
        given["settings"] = json.dumps(settings)
    return {**given, "resume": resume}


def _run_folder(plan: LaunchPlan) -> Path:
    return Path(_parameter(plan, "run")).expanduser()


def _parameter(plan: LaunchPlan, name: str) -> str:
    node = plan.specs["dagger_node"]
    values = [entry[name] for entry in node.parameters if not isinstance(entry, Path)]
    return str(values[0])
