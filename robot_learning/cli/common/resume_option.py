"""`--resume` and `--no-resume` of the commands that record: one rule for all of them."""

from __future__ import annotations

import argparse


def add_resume(
    parser: argparse.ArgumentParser, dest: str, values: tuple[object, object], default: object
) -> None:
    """Add the two options.

    Args:
        parser: parser of the command.
        dest: name of the argument that they set.
        values: values of the argument: with `--resume`, and with `--no-resume`.
        default: value of the argument with neither.
    """
    texts = {
        "--resume": "add to a dataset that already has episodes (this is the default)",
        "--no-resume": "refuse a dataset that already has episodes (default: add to it)",
    }
    for (option, text), value in zip(texts.items(), values, strict=True):
        parser.add_argument(
            option, dest=dest, action="store_const", const=value, default=default, help=text
        )
