"""Labels by an expert, for rows that are chosen by options."""

from __future__ import annotations

import argparse

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.chosen import row_choice
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.imitation.expert import SCRIPTED
from robot_learning.learning.interactive.relabel import relabel_dataset


def label_by_expert(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    """Label the chosen rows, and say what was labelled; 1 when none was.

    Args:
        arguments: parsed options of the command.
        dataset: dataset to label.
        names: file names of the episodes.
    """
    labelled = 0
    with progress_bar("relabelling rows") as progress:
        for done in relabel_dataset(
            dataset,
            names,
            expert=arguments.expert or SCRIPTED,
            author=arguments.author or "",
            choice=row_choice(arguments),
            over_hand=arguments.over_hand,
            progress=progress,
        ):
            labelled += done.rows
            print(done.summary, flush=True)
    return _said_if_none(labelled)


def _said_if_none(labelled: int) -> int:
    if labelled:
        return 0
    print("no row was labelled: none was chosen, or none has an observation")
    return 1
