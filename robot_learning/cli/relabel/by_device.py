"""Labels by a person with a teleoperation device."""

from __future__ import annotations

import argparse
import getpass

from robot_learning.cli.dataset.chosen import row_choice
from robot_learning.cli.dataset.selection import ALL_ROWS
from robot_learning.core.errors import ConfigurationError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.relabeling.by_device import relabel_by_device
from robot_learning.relabeling.choice import DeviceChoice, check_choice
from robot_learning.relabeling.session import Method

BY_SCRIPTED = "the scripted operator"


def label_by_device(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    """Let a person go through the episodes; 1 when no row was labelled.

    Args:
        arguments: parsed options of the command.
        dataset: dataset to label.
        names: file names of the episodes.

    Raises:
        ConfigurationError: the options do not fit labelling by a device.
    """
    if not arguments.episodes:
        raise ConfigurationError("--device: name the episodes that you want to go through")
    if arguments.expert:
        raise ConfigurationError("--expert and --device: only one of them can label")
    by_step = arguments.method == Method.STEP.value
    chosen = DeviceChoice(
        device=arguments.device,
        method=arguments.method,
        choice=row_choice(arguments),
        author=arguments.author or (BY_SCRIPTED if arguments.device == "scripted" else user_name()),
        map_name=arguments.map,
        speed=arguments.speed if arguments.speed is not None else 0.2 if by_step else 1.0,
        window=arguments.window,
        picture=arguments.picture,
        restart=arguments.restart,
        marks=not by_step and arguments.rows == ALL_ROWS and not arguments.only,
    )
    check_choice(chosen)
    folder = DatasetFolder(dataset.path)
    with folder.lock():
        labelled = relabel_by_device(folder, names, chosen)
    return 0 if labelled else 1


def user_name() -> str:
    """Who is logged in here."""
    return getpass.getuser()
