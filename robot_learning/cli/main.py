"""The `robot-learning` command: its subcommands, and what their errors become.

Each subcommand has a file with `add_parser(subparsers)`, its options and what can be checked at
once. It is loaded when its command is given, and what does the work is a file of its own that is
loaded when the options are right: `--help` and a mistyped option stay instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from robot_learning import __version__
from robot_learning.cli.common.command_parser import CommandParser
from robot_learning.core.errors import RobotLearningError


class Command(NamedTuple):
    """A subcommand: its module in this folder, and its line in the list of commands."""

    module: str
    help: str


# In the order of the work: look around, collect data, learn from it, use and correct the policy.
COMMANDS: Mapping[str, Command] = {
    "doctor": Command(
        "machine.doctor_command",
        "check what works on this machine, and how to fix what does not",
    ),
    "demo": Command(
        "demo_command",
        "run the whole loop in simulation: record, train, serve, correct, retrain, evaluate",
    ),
    "robots": Command(
        "machine.profile_command",
        "list the robots that are available",
    ),
    "profile": Command(
        "machine.profile_command",
        "check a robot profile, or print its URDF",
    ),
    "calibrate": Command(
        "machine.calibrate_command",
        "find the joints' zeros of one arm on servo buses",
    ),
    "emulate": Command(
        "machine.emulate_command",
        "emulate servos on a serial port, for programs that drive real ones",
    ),
    "up": Command(
        "nodes.up_command",
        "start a group of ROS nodes, and stop them together",
    ),
    "record": Command(
        "nodes.record_command",
        "record demonstrations with a teleoperation device",
    ),
    "demonstrate": Command(
        "interactive.demonstrate_command",
        "record demonstrations of the scripted expert in simulation",
    ),
    "dataset": Command(
        "dataset_command",
        "inspect, check, edit and convert recorded datasets",
    ),
    "relabel": Command(
        "relabel_command",
        "label recorded rollouts with an expert or a teleoperation device",
    ),
    "train": Command(
        "policies.train_command",
        "train a policy on a dataset",
    ),
    "evaluate": Command(
        "policies.evaluate_command",
        "simulate a policy and count how often it succeeds",
    ),
    "serve": Command(
        "policies.serve_command",
        "let a trained policy drive a robot",
    ),
    "dagger": Command(
        "interactive.dagger_command",
        "run rounds in which a policy drives, is corrected, and is trained again",
    ),
    "dart": Command(
        "interactive.dart_command",
        "demonstrate with noise shaped like the policy's own errors, and train (DART)",
    ),
    "ccil": Command(
        "interactive.ccil_command",
        "compute corrective labels near demonstrations (CCIL)",
    ),
    "bc": Command(
        "interactive.bc_command",
        "clone an expert's behaviour in any gymnasium environment",
    ),
    "rl": Command(
        "interactive.rl_command",
        "learn from rewards in any gymnasium environment: REINFORCE, PPO",
    ),
    "prefer": Command(
        "interactive.prefer_command",
        "learn a reward from rankings of short segments, by a person or a script",
    ),
    "gate": Command(
        "policies.gate_command",
        "find the thresholds of disagreement and risk above which an ensemble asks for help",
    ),
    "ci": Command(
        "ci_command",
        "check profiles, datasets and policies in continuous integration",
    ),
}
_WORKFLOW = """\
from an empty folder to a policy:
  robot-learning doctor                                       # what works here
  robot-learning demonstrate --task lift --dataset data/lift  # or: record
  robot-learning dataset info data/lift                       # what it holds
  robot-learning train data/lift --policy act --out runs/lift
  robot-learning evaluate runs/lift                           # success rate
  robot-learning serve runs/lift --drive                      # let it drive
  robot-learning dagger --dataset data/lift                   # correct, retrain

`robot-learning COMMAND --help` shows the options of a command, with their defaults and an example.
"""

EXIT_WRONG = 2
EXIT_INTERRUPTED = 130


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]
    """The subcommands, each with its line in the list."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().add_parser(
            name, help=COMMANDS[name].help, **settings
        )
        return parser


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command line.

    Args:
        command: subcommand whose options are wanted; the others are only named, and their modules
            not loaded. None wants those of all.
    """
    parser = CommandParser(
        prog="robot-learning",
        description="Robot deployment with people in the loop, in simulation and on the arm.",
        epilog=_WORKFLOW,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show the full Python traceback of an error"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command", action=_Commands)
    wanted = {name: entry.module for name, entry in COMMANDS.items()}.get(command or "")
    for name, entry in COMMANDS.items():
        if name in subparsers.choices:
            continue
        if command is None or entry.module == wanted:
            import_module(f"robot_learning.cli.{entry.module}").add_parser(subparsers)
        else:
            subparsers.add_parser(name)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 when it went well, 1 when the answer is bad news (a check that failed), 2 when the
        input was wrong or something is missing, 130 when interrupted.
    """
    try:
        try:
            given = sys.argv[1:] if argv is None else argv
            # The options before the command take no values.
            command = next((text for text in given if not text.startswith("-")), "")
            return _run(build_parser(command), given)
        finally:
            # Flushed here, so that a reader which has gone away (`| head`) is noticed here too.
            sys.stdout.flush()
    except BrokenPipeError:
        # What Python's manual advises: the interpreter's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_WRONG
    except KeyboardInterrupt as stopped:
        # Commands that know more say where they stopped and how they go on.
        if text := " ".join(map(str, stopped.args)):
            print(f"robot-learning: {text}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(parser: argparse.ArgumentParser, argv: Sequence[str]) -> int:
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return EXIT_WRONG
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:
        raise
    # What the system refuses (disk full, no permission) is told like what the user got wrong.
    except (RobotLearningError, OSError) as error:
        if arguments.traceback:
            raise
        text = " ".join(str(error).split())
        print(f"robot-learning {arguments.command}: {text}", file=sys.stderr)
        return EXIT_WRONG


if __name__ == "__main__":
    sys.exit(main())
