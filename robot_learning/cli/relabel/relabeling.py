"""What `robot-learning relabel` does: choose the episodes, and label them or show their layers."""

from __future__ import annotations

import argparse

from robot_learning.cli.dataset.chosen import open_chosen
from robot_learning.cli.relabel.layers import change_layer, list_layers
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.names import find_episodes


def relabel(arguments: argparse.Namespace) -> int:
    """Relabel, and say what was labelled.

    Raises:
        RobotLearningError: what was asked for cannot be labelled so.
    """
    dataset = open_chosen(arguments)
    if unfinished := DatasetFolder(dataset.path).partial_paths():
        print(
            f"{len(unfinished)} episode(s) were cut off while they were recorded, and cannot be "
            f"labelled before `robot-learning dataset repair {arguments.dataset}`"
        )
    names = [summary.name for summary in dataset.episodes]
    if arguments.episodes:
        names = find_episodes(arguments.episodes, names)
    if arguments.remove is not None or arguments.restore is not None:
        return change_layer(arguments, dataset, names)
    if arguments.list:
        return list_layers(dataset, names)
    if arguments.device:
        from robot_learning.cli.relabel.by_device import label_by_device

        return label_by_device(arguments, dataset, names)
    from robot_learning.cli.relabel.by_expert import label_by_expert

    return label_by_expert(arguments, dataset, names)
