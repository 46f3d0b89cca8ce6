"""`robot-learning demo`: the whole loop in simulation, over ROS nodes; or one pick on video."""

from __future__ import annotations

import argparse
import gc
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from robot_learning.bringup.demo import DEMO
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.demo.settings import DemoSettings
from robot_learning.cli.nodes.launch_options import add_launch_options, launch_arguments
from robot_learning.core.errors import ConfigurationError

_SHARED = ("robot", "task", "seed")
_SIZES = {
    "demonstrations": "episodes in each of the two recordings (default: 6)",
    "rounds": "rounds of HG-DAgger (default: 2)",
    "episodes_per_round": "episodes in each round (default: 5)",
    "steps": "optimiser steps of each training (default: 4000)",
    "evaluations": "episodes to evaluate each policy on (default: 100)",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add `demo`."""
    parser = subparsers.add_parser(
        "demo",
        description="Record demonstrations with and without DART noise over ROS nodes, train, "
        "serve, correct the policy in two rounds of HG-DAgger with the scripted operator, and "
        "evaluate all policies on the same scenes; two or three minutes. Ends with a table, a "
        "plot, a video and datasets that were verified. The nodes run in lockstep on simulated "
        "time, so that a seed gives the same result however busy the machine is.",
    )
    parser.add_argument("--robot", help="profile of the simulated robot (default: desk_arm)")
    parser.add_argument(
        "--task", help="a task with a scripted expert (default: obstacle; with --pick: lift)"
    )
    parser.add_argument("--seed", type=int, help="seed of the first scene (default: 0)")
    for name, text in _SIZES.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
    parser.add_argument("--out", type=Path, help="output folder (default: outputs/demo-<time>)")
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="run each node as a process of its own in real time, as on a real arm, instead of all "
        "of them in lockstep; needs a machine that keeps up; results differ from run to run",
    )
    parser.add_argument(
        "--pick",
        action="store_true",
        help="only let the scripted expert lift a cube, with measurements and a video; the options "
        "below, also as name:=value, belong to this",
    )
    add_launch_options(parser, DEMO, without=_SHARED)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the loop or the pick; 0 when it did what it shows."""
    return _pick(arguments) if arguments.pick else _loop(arguments)


def _pick(arguments: argparse.Namespace) -> int:
    from robot_learning.cli.nodes.supervisor import Supervisor

    for name in (*_SIZES, "out", "real_time"):
        if getattr(arguments, name) not in (None, False):
            raise ConfigurationError(f"--{name.replace('_', '-')} does not go with --pick")
    shared = {name: str(value) for name, value in _given(arguments, _SHARED).items()}
    given = launch_arguments(arguments)
    for name in shared.keys() & given.keys():
        raise ConfigurationError(f"the argument '{name}' is given twice")
    return Supervisor(DEMO.resolve({**shared, **given})).run()


def _loop(arguments: argparse.Namespace) -> int:
    given = launch_arguments(arguments)
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise ConfigurationError(f"{options}: only with --pick, which shows one task")
    settings = _settings(arguments)
    from robot_learning.cli.demo.program import Screen, run_loop

    try:
        return run_loop(settings, Screen())
    except KeyboardInterrupt:
        print(f"\ninterrupted; what was made so far is in {settings.folder}", file=sys.stderr)
        # Else the interpreter, before it ends, looks through all that torch has made.
        gc.freeze()
        raise


def _settings(arguments: argparse.Namespace) -> DemoSettings:
    folder = arguments.out or Path("outputs") / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    given = _given(arguments, (*_SHARED, *_SIZES))
    return DemoSettings(folder, real_time=arguments.real_time, **given)


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
