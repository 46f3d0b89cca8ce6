"""`info`, `list`, `stats`, `view`, `verify`, `repair`: their options."""

from __future__ import annotations

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.cli.dataset.selection import add_episode, add_filters
from robot_learning.cli.dataset.verb import add_verb


def add_verbs(verbs: Subparsers) -> None:
    """Add the verbs."""
    _add_browse(verbs)
    _add_stats(verbs)
    _add_view(verbs)
    _add_check(verbs)


def _add_browse(verbs: Subparsers) -> None:
    info = add_verb(
        verbs,
        "info",
        late("robot_learning.cli.dataset.browse", "run_info"),
        "what a dataset is: robot, streams, episodes, size",
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    listing = add_verb(
        verbs,
        "list",
        late("robot_learning.cli.dataset.browse", "run_list"),
        "list the episodes, one per line",
    )
    listing.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_filters(listing)


def _add_stats(verbs: Subparsers) -> None:
    stats = add_verb(
        verbs,
        "stats",
        late("robot_learning.cli.dataset.stats", "run_stats"),
        "statistics of columns; outcomes, operators, durations",
    )
    stats.add_argument(
        "--key",
        action="append",
        help="column; may be repeated (default: actions and every obs/ column except images)",
    )
    stats.add_argument("--json", action="store_true", help="print JSON")
    add_filters(stats)


def _add_view(verbs: Subparsers) -> None:
    view = add_verb(
        verbs,
        "view",
        late("robot_learning.cli.dataset.view", "run_view"),
        "one episode as a picture (PNG) and as a video (MP4)",
        "Draw one episode: camera frames, who was in control, joints, actions and the ages of "
        "the streams. With --video also a video of the cameras with the controller's name in it.",
    )
    add_episode(view)
    view.add_argument(
        "--out",
        metavar="FILE",
        help="PNG file to write (default: <episode>.png in the current folder)",
    )
    view.add_argument("--frames", type=int, default=8, help="frames to draw from each camera")
    view.add_argument("--video", action="store_true", help="also write a video")


def _add_check(verbs: Subparsers) -> None:
    add_verb(
        verbs,
        "verify",
        late("robot_learning.cli.dataset.check", "run_verify"),
        "check every invariant and digest; changes nothing",
        "Check every invariant and the digest of every column. Prints each problem on a line of "
        "its own; the exit code is 1 when there are any.",
    )
    add_verb(
        verbs,
        "repair",
        late("robot_learning.cli.dataset.check", "run_repair"),
        "recover unfinished recordings, a broken index and description",
        "Recover recordings that were cut off, up to their last flush, and rebuild the index "
        "where it is wrong, and dataset.json where it is missing or broken, from what most of the "
        "episodes say. Says what was lost. Saved episodes are not changed; what cannot be "
        "recovered is moved to the dataset's trash. The exit code is 1 when something was lost "
        "or an episode is damaged.",
    )
