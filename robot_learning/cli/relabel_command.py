"""`robot-learning relabel`: labels for recorded rollouts, by an expert or by a person."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import progress_bar
from robot_learning.cli.dataset.selection import SOURCES, add_filters, open_chosen
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.relabeling.choice import DEVICES, DeviceChoice, check_choice

if TYPE_CHECKING:
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.episodes.dataset.row_choice import RowChoice
    from robot_learning.learning.interactive.relabel import Relabelled

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

BY_EXPERT = "expert"
BY_SCRIPTED = "the scripted operator"
STEP, SEGMENT = "step", "segment"
ALL_ROWS = ":"

_EPILOG = """\
Recorded data are never changed. The labels form a layer of their own, which says who made it, when,
how, and for which rows; the newest layer that covers a row decides its action. An expert does not
overwrite rows that a person has labelled. `--remove` takes a layer out of use and `--restore`
brings it back. With a device, every label is on disk before the next row is shown: if the command
is interrupted, give it again to continue.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `relabel`."""
    parser = subparsers.add_parser(
        "relabel",
        description="Go through recorded episodes and add corrective actions for their states.",
        epilog=_EPILOG,
    )
    parser.add_argument("dataset", help="folder of the dataset")
    parser.add_argument(
        "episodes",
        nargs="*",
        default=[],
        metavar="episode",
        help="numbers, ranges such as 3-7, file names, or 'last' (default: all that match)",
    )
    parser.add_argument("--list", action="store_true", help="list the label layers")
    parser.add_argument(
        "--remove",
        type=int,
        metavar="LAYER",
        help="take the layer with this number (see --list) out of use; it stays in the file",
    )
    parser.add_argument("--restore", type=int, metavar="LAYER", help="bring a removed layer back")
    parser.add_argument(
        "--over-hand",
        action="store_true",
        help="let an expert also label rows that a person has labelled (default: it skips them)",
    )
    parser.add_argument(
        "--by", choices=(BY_EXPERT,), default=BY_EXPERT, help="who labels (default: %(default)s)"
    )
    _add_device_options(parser)
    parser.add_argument(
        "--expert",
        metavar="EXPERT",
        help="a task whose scripted expert labels, such as lift, or MODULE:CALLABLE, any callable "
        "(observation, info) -> action (default: the scripted expert of the dataset's task)",
    )
    parser.add_argument(
        "--author",
        help="name stored with the labels (default: the expert, or the current user with a device)",
    )
    add_filters(parser)
    rows = parser.add_argument_group("choose rows")
    rows.add_argument(
        "--rows",
        default=ALL_ROWS,
        metavar="FIRST:END",
        help="a Python slice such as 25: or :-10 (default: all)",
    )
    rows.add_argument(
        "--only",
        choices=SOURCES,
        default="",
        help="only rows in which this source was in control (default: all rows)",
    )
    rows.add_argument(
        "--every",
        type=int,
        metavar="N",
        default=1,
        help="label every N-th of these rows (default: 1)",
    )
    parser.set_defaults(run=run)


def _add_device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "with a teleoperation device",
        "The device moves a ghost arm, which starts where the recorded arm stood (in the simulated "
        "scene, if the scene is known). Nothing else moves.",
    )
    group.add_argument("--device", metavar="NAME", help=f"one of {', '.join(DEVICES)}")
    group.add_argument(
        "--method",
        choices=(STEP, SEGMENT),
        default=STEP,
        help="step: the ghost is put back to each row, and the device's action there is the label; "
        "segment: the ghost starts at the first of --rows and you demonstrate from there; without "
        "--rows the recording plays until the start key marks the segment (default: step)",
    )
    group.add_argument(
        "--map",
        default="",
        help="key map of the device: a shipped name or a YAML file (default: the device's own)",
    )
    group.add_argument(
        "--speed",
        type=float,
        help="playback speed; 1 is the speed of the recording (default: 0.2 by step, 1 by segment)",
    )
    group.add_argument(
        "--anew",
        action="store_true",
        help="start over instead of continuing an interrupted session, whose labels then go to the "
        "trash",
    )
    group.add_argument("--window", action="store_true", help="show the ghost in MuJoCo's window")
    group.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="JPEG file, redrawn five times a second, with the recorded frames and the ghost",
    )


def run(arguments: argparse.Namespace) -> int:
    """Relabel, and say what was labelled.

    Raises:
        RobotLearningError: what was asked for cannot be labelled so.
    """
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.episodes.store.names import find_episodes

    _refuse_without_device(arguments)
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
        return _change_layer(arguments, dataset, names)
    if arguments.list:
        return _list_layers(dataset, names)
    if arguments.device:
        return _by_device(arguments, dataset, names)
    return _by_expert(arguments, dataset, names)


def _refuse_without_device(arguments: argparse.Namespace) -> None:
    """Else the expert would label what a person wanted to."""
    names = [
        name for name in ("map", "speed", "anew", "window", "picture") if vars(arguments)[name]
    ]
    if arguments.method != STEP:
        names.insert(0, "method")
    if names and not (arguments.device or arguments.list):
        raise ConfigurationError(f"--{', --'.join(names)}: only with --device NAME")


def _list_layers(dataset: Dataset, names: list[str]) -> int:
    from robot_learning.cli.common.console import make_console, make_table
    from robot_learning.cli.dataset.browse import local_time
    from robot_learning.relabeling.journal import unfinished

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
            table.add_row(name.removesuffix(".hdf5"), "", "", "", "", "cut off, can go on", "")
    if table.row_count:
        make_console().print(table)
        print(*remarks, sep="\n", end="\n" if remarks else "")
    else:
        print(f"{dataset.path}: no label layer, and no sitting that was cut off")
    return 0


def _change_layer(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.episodes.store.labels import set_removed

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


def _by_expert(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    from robot_learning.learning.imitation.expert import SCRIPTED
    from robot_learning.learning.interactive.relabel import relabel_dataset

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
    return _told(arguments, done_with)


def _by_device(arguments: argparse.Namespace, dataset: Dataset, names: list[str]) -> int:
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.relabeling.by_device import relabel_by_device

    if not arguments.episodes:
        raise ConfigurationError("--device: name the episodes that you want to go through")
    if arguments.expert:
        raise ConfigurationError("--expert and --device: only one of them can label")
    by_step = arguments.method == STEP
    chosen = DeviceChoice(
        device=arguments.device,
        method=arguments.method,
        choice=row_choice(arguments),
        author=arguments.author or (BY_SCRIPTED if arguments.device == "scripted" else user_name()),
        map_name=arguments.map,
        speed=arguments.speed if arguments.speed is not None else 0.2 if by_step else 1.0,
        window=arguments.window,
        picture=arguments.picture,
        anew=arguments.anew,
        marks=not by_step and arguments.rows == ALL_ROWS and not arguments.only,
    )
    check_choice(chosen)
    folder = DatasetFolder(dataset.path)
    with folder.lock():
        labelled = relabel_by_device(folder, names, chosen)
    return 0 if labelled else 1


def _told(arguments: argparse.Namespace, done: list[Relabelled]) -> int:
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
        why = "what was chosen is labelled by a person, or has no whole observation"
    elif choice:
        why = f"{choice} chooses none in these episodes; leave it out to label all rows"
    else:
        why = "no episode has a row"
    print(f"no row was labelled: {why}")
    return 1


def row_choice(arguments: argparse.Namespace) -> RowChoice:
    """The rows that `--rows`, `--only` and `--every` choose."""
    from robot_learning.episodes.dataset.row_choice import RowChoice, parse_range

    first, end = parse_range(arguments.rows)
    return RowChoice(first, end, arguments.only, arguments.every)


def user_name() -> str:
    """Who is logged in here."""
    return getpass.getuser()
