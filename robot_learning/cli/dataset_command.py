"""`robot-learning dataset <verb>`: inspect, check, edit and convert recorded datasets.

The options are in `cli/dataset/verbs_*.py`. What a verb does is in the other files there, each of
which is loaded when one of its verbs is given.
"""

from __future__ import annotations

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.dataset import verbs_changing, verbs_exchange, verbs_reading

VERB_GROUPS = (verbs_reading, verbs_changing, verbs_exchange)


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
