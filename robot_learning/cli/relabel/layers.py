"""Label layers: list them, take one out of use, and bring it back."""

from __future__ import annotations

import argparse

from robot_learning.cli.common.console import make_console, make_table
from robot_learning.cli.dataset.browse import local_time
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import set_removed
from robot_learning.relabeling.journal import unfinished


def list_layers(dataset: Dataset, names: list[str]) -> int:
    """Print the label layers of these episodes, and the interrupted labelling sessions."""
    columns = ("episode", "layer", "rows", "author", "when", "how", "counts")
    table = make_table(*columns, right=("layer", "rows"))
    remarks = []
    for name in names:
        for layer in dataset.episode(name).labels(removed=True):
            rows = f"{layer.mask.sum()} of {len(layer.mask)}"
            counts = "removed" if layer.removed else "yes"
            # A device's method goes on with a sentence on what was restored.
            how, _, remark = layer.method.partition("; ")
            how = how.removesuffix(f" {layer.author}")
            facts = (str(layer.number), rows, layer.author, local_time(layer.created_utc), how)
            table.add_row(name.removesuffix(".hdf5"), *facts, counts)
            if remark:
                remarks.append(f"{name.removesuffix('.hdf5')}, layer {layer.number}: {remark}")
        if unfinished(dataset.path, name):
            table.add_row(name.removesuffix(".hdf5"), "", "", "", "", "can be continued", "")
    if table.row_count:
        make_console().print(table)
        print(*remarks, sep="\n", end="\n" if remarks else "")
    else:
        print(f"{dataset.path}: no label layer, and no interrupted labelling session")
    return 0


def change_layer(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    """Remove or restore the layer that the options name.

    Args:
        arguments: parsed options of the command.
        dataset: dataset of the episodes.
        names: file names of the episodes.

    Raises:
        ConfigurationError: no chosen episode has it.
    """
    if arguments.remove is not None and arguments.restore is not None:
        raise ConfigurationError("--remove and --restore: one of them at a time")
    removed = arguments.remove is not None
    number = arguments.remove if removed else arguments.restore
    have = [
        name
        for name in names
        if number in (layer.number for layer in dataset.episode(name).labels(removed=True))
    ]
    if not have:
        raise ConfigurationError(
            f"{arguments.dataset}: no chosen episode has a label layer {number}; --list shows them"
        )
    folder = DatasetFolder(dataset.path)
    episodes = " ".join(arguments.episodes)
    back = f"robot-learning relabel {arguments.dataset} {episodes}".rstrip()
    with folder.lock():
        for name in have:
            layer = set_removed(folder, name, number, removed)
            what = "removed" if removed else "restored"
            print(
                f"{name.removesuffix('.hdf5')}: layer {number} {what}, "
                f"{amount(int(layer.mask.sum()), 'row')}"
            )
    if removed:
        print(f"to bring it back: {back} --restore {number}")
    return 0
