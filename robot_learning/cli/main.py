"""The `robot-learning` command: its subcommands, and what their errors become.

Each subcommand lives in a file of its own with `add_parser(subparsers)` and a `run(arguments)`
that returns the exit code and imports what is heavy only then: `--help` stays instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from robot_learning import __version__
from robot_learning.cli import ci_command, dataset_command, demo_command, relabel_command
from robot_learning.cli.common.command_parser import CommandParser
from robot_learning.cli.interactive import (
    bc_command,
    dagger_command,
    dart_command,
    demonstrate_command,
)
from robot_learning.cli.machine import doctor_command, profile_command
from robot_learning.cli.nodes import record_command, up_command
from robot_learning.cli.policies import evaluate_command, gate_command, serve_command, train_command
from robot_learning.core.errors import RobotLearningError

# In the order of the work: look around, collect data, learn from it, use and correct the policy.
COMMANDS = (
    doctor_command,
    demo_command,
    profile_command,
    up_command,
    record_command,
    demonstrate_command,
    dataset_command,
    relabel_command,
    train_command,
    evaluate_command,
    serve_command,
    dagger_command,
    dart_command,
    bc_command,
    gate_command,
    ci_command,
)
_WORKFLOW = """\
from nothing to a policy, in this order:
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


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = CommandParser(
        prog="robot-learning",
        description="Robot deployment with people in the loop, in simulation and on the arm.",
        epilog=_WORKFLOW,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show the full Python traceback of an error"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="command")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 when it went well, 1 when the answer is bad news (a check that failed), 2 when the
        input was wrong or something is missing, 130 when interrupted.
    """
    try:
        try:
            return _run(build_parser(), argv)
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


def _run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
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
