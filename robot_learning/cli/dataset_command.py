"""`robot-learning dataset <verb>`: look at, check, change and convert recorded datasets.

Each file of `cli/dataset/` adds its verbs with `add_verbs(verbs)`; what they do is in
`robot_learning.episodes`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robot_learning.cli.dataset import (
    browse,
    change,
    check,
    combine,
    export,
    imports,
    replay,
    stats,
    view,
)

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

VERB_GROUPS = (browse, stats, view, check, change, combine, replay, export, imports)


def add_parser(subparsers: Subparsers) -> None:
    """Add `dataset` with its verbs."""
    parser = subparsers.add_parser(
        "dataset",
        description="Work on recorded datasets. Episodes that a command replaces or removes go to "
        "the dataset's trash, and `restore` brings them back. Label layers are kept in the episode "
        "and are removed and restored by `robot-learning relabel`.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)
    for group in VERB_GROUPS:
        group.add_verbs(verbs)
