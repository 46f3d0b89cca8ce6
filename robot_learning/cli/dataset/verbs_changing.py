"""`trim` to `split`: the options of what changes a dataset, or makes another of it."""

from __future__ import annotations

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.dataset.selection import add_episode, add_episodes, add_filters
from robot_learning.cli.dataset.verb import add_verb
from robot_learning.core.vocabulary import OUTCOMES


def add_verbs(verbs: Subparsers) -> None:
    """Add the verbs."""
    _add_change(verbs)
    _add_combine(verbs)


def _add_change(verbs: Subparsers) -> None:
    trim = add_verb(
        verbs,
        "trim",
        late("robot_learning.cli.dataset.change", "run_trim"),
        "keep only some rows of an episode; the original goes to the trash",
    )
    add_episode(trim)
    trim.add_argument(
        "rows",
        help="rows to keep, as a Python slice: 25: drops the first 25 rows, :-10 the last 10",
    )
    delete = add_verb(
        verbs,
        "delete",
        late("robot_learning.cli.dataset.change", "run_delete"),
        "move episodes to the dataset's trash",
    )
    add_episodes(delete)
    restore = add_verb(
        verbs,
        "restore",
        late("robot_learning.cli.dataset.change", "run_restore"),
        "bring an episode back from the trash; without one, list what is there",
        "Bring an episode back from the trash, the newest of its name or the given version. An "
        "episode that has taken its name (a trimmed one, say) goes to the trash instead.",
    )
    restore.add_argument("episode", nargs="?", help="number or file name of the episode, or 'last'")
    restore.add_argument(
        "--version",
        type=int,
        help="number of the version, as listed without an episode (default: the newest)",
    )
    relabel = add_verb(
        verbs,
        "relabel-outcome",
        late("robot_learning.cli.dataset.change", "run_relabel"),
        "change the recorded outcome of episodes",
    )
    relabel.add_argument("outcome", choices=OUTCOMES, help="how the episodes ended")
    add_episodes(relabel)
    keep = add_verb(
        verbs,
        "keep",
        late("robot_learning.cli.dataset.change", "run_keep"),
        "use episodes despite bad timing; without an episode, list those with bad timing",
        "Episodes whose quality report calls their timing bad are left out of trainings and of "
        "rounds of DAgger. Those that you keep are used like any other.",
    )
    add_episodes(keep, required=False)
    keep.add_argument("--undo", action="store_true", help="leave these episodes out again")


def _add_combine(verbs: Subparsers) -> None:
    merge = verbs.add_parser(
        "merge",
        help="copy several datasets into a new one",
        description="Copy the episodes of several datasets into a new one. Robot, task, rate and "
        "streams must be the same. Identical episodes are copied once; the sources stay unchanged.",
    )
    merge.add_argument("sources", nargs="+", metavar="dataset", help="folders of the datasets")
    merge.add_argument("--into", required=True, metavar="FOLDER", help="folder of the new dataset")
    merge.set_defaults(run=late("robot_learning.cli.dataset.combine", "run_merge"))
    split = add_verb(
        verbs,
        "split",
        late("robot_learning.cli.dataset.combine", "run_split"),
        "divide the episodes at random into named parts",
        "Divide whole episodes at random into named parts, which are stored in the dataset "
        "(robomimic reads them as filter keys); the same seed gives the same parts.",
    )
    split.add_argument(
        "parts",
        nargs="+",
        metavar="name=fraction",
        help="name and share of a part, such as train=0.9 valid=0.1",
    )
    split.add_argument("--seed", type=int, default=0, help="seed of the random division")
    split.add_argument(
        "--into",
        metavar="FOLDER",
        help="also copy each part into a dataset of its own in this folder",
    )
    add_filters(split)
