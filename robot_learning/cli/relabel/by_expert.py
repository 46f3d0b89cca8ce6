"""Labels by an expert, for rows that are chosen by options."""

from __future__ import annotations

import argparse

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.chosen import row_choice
from robot_learning.cli.dataset.selection import ALL_ROWS
from robot_learning.core.amounts import amount
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.imitation.expert import SCRIPTED
from robot_learning.learning.interactive.relabel import Relabelled, relabel_dataset


def label_by_expert(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    """Label the chosen rows, and say what was labelled; 1 when none was.

    Args:
        arguments: parsed options of the command.
        dataset: dataset to label.
        names: file names of the episodes.
    """
    done_with: list[Relabelled] = []
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
            done_with.append(done)
            if done.had_chosen_rows:
                print(done.summary, flush=True)
    return _report(arguments, done_with)


def _report(arguments: argparse.Namespace, done: list[Relabelled]) -> int:
    """Say of how many episodes nothing was asked for, and why nothing at all was labelled."""
    without = sum(not each.had_chosen_rows for each in done)
    given = [
        *([f"--rows {arguments.rows}"] if arguments.rows != ALL_ROWS else []),
        *([f"--only {arguments.only}"] if arguments.only else []),
    ]
    choice = " and ".join(given)
    if any(each.rows for each in done):
        if without:
            print(f"{choice} chooses no row in {amount(without, 'episode')}")
        return 0
    if without < len(done):
        why = "what was chosen is labelled by a person, or has no complete observation"
    elif choice:
        why = f"{choice} chooses none in these episodes; leave it out to label all rows"
    else:
        why = "no episode has a row"
    print(f"no row was labelled: {why}")
    return 1
