"""What every verb of `robot-learning dataset` begins with."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from robot_learning.cli.common.command_parser import Subparsers


def add_verb(
    verbs: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_text: str,
    description: str = "",
) -> argparse.ArgumentParser:
    """Add a verb and its first argument, the folder of the dataset.

    Args:
        verbs: verbs of `dataset`.
        name: name of the verb.
        run: function that does the work and returns the exit code.
        help_text: line in the list of verbs.
        description: first paragraph of the verb's help; empty for `help_text` as a sentence.
    """
    parser = verbs.add_parser(
        name, help=help_text, description=description or f"{help_text.capitalize()}."
    )
    parser.add_argument("dataset", help="folder of the dataset")
    parser.set_defaults(run=run)
    return parser
