"""`robot-learning prefer`: a reward from rankings of what was done, where nobody can write one."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late
from robot_learning.learning.imitation.references import check_references
from robot_learning.learning.preferences.ties import TIES

JUDGES = ("me", "return")

_EPILOG = """\
collect, rank, fit, and learn from what was fitted:
  robot-learning prefer collect runs/prefer --env Pendulum-v1
  robot-learning prefer rank runs/prefer --rankings 150
  robot-learning prefer fit runs/prefer
  robot-learning rl ppo --env Pendulum-v1 --reward runs/prefer
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `prefer` with its verbs."""
    parser = subparsers.add_parser(
        "prefer",
        description="Learn a reward from rankings: which of some short segments was better, and "
        "which were as good as each other.",
        epilog=_EPILOG,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)
    _add_collect(
        verbs.add_parser(
            "collect",
            help="cut segments from rollouts, or from the episodes of a dataset",
            description="Play episodes of policies of differing skill, or read recorded ones, and "
            "cut them into segments of equal length.",
        )
    )
    _add_rank(
        verbs.add_parser(
            "rank",
            help="rank segments, by hand or by a script",
            description="Watch some segments side by side and type their numbers, the best first: "
            "431=2 says that 4 is best, then 3, and that 1 and 2 are as good as each other. Each "
            "answer is saved at once; the command given again goes on.",
        )
    )
    _add_fit(
        verbs.add_parser(
            "fit",
            help="fit a reward to the rankings",
            description="Fit an ensemble of small networks, whose sum over a segment explains the "
            "rankings. Whole rankings are held out for validation: to stop in time and to say how "
            "well they are predicted.",
        )
    )


def _check_env(arguments: argparse.Namespace) -> None:
    if arguments.env:
        check_references(arguments.env)


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, help="folder of the segments, their rankings and the reward"
    )


def _add_collect(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--env",
        metavar="ID",
        help="id of a gymnasium environment, as module:ID if a module registers it",
    )
    source.add_argument("--dataset", type=Path, help="folder of a dataset whose episodes are cut")
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the environment; may be repeated. This package's tasks get what "
        "`rl` gives them",
    )
    parser.add_argument(
        "--policy",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="runs or checkpoints whose policies act (default: none, actions are random)",
    )
    parser.add_argument(
        "--mix",
        nargs="+",
        type=float,
        metavar="SHARE",
        help="with --policy: shares of the time in which random actions replace a policy's, each "
        "for as many episodes (default: 0 0.3 0.6 1)",
    )
    parser.add_argument(
        "--episodes",
        type=int,
        help="with --env: episodes of each policy and share (default: 25)",
    )
    parser.add_argument(
        "--length", type=int, default=25, help="steps of a segment (default: %(default)s)"
    )
    parser.add_argument(
        "--per-episode",
        type=int,
        default=4,
        help="largest number of segments of an episode (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, help="with --env: seed of episodes and random actions (default: 0)"
    )
    parser.set_defaults(
        run=late("robot_learning.cli.interactive.prefer_collect", "collect", _check_env)
    )


def _add_rank(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    parser.add_argument(
        "--rankings",
        type=int,
        default=150,
        help="answers that there are to be in the end (default: %(default)s)",
    )
    parser.add_argument(
        "--segments",
        type=int,
        default=4,
        metavar="K",
        help="segments in a ranking, at most 9 (default: %(default)s)",
    )
    parser.add_argument(
        "--judge",
        choices=JUDGES,
        default=JUDGES[0],
        help="who ranks: you, or a script by the true return (default: %(default)s)",
    )
    parser.add_argument(
        "--tie-band",
        type=float,
        metavar="SHARE",
        help="with --judge return: segments are tied when their returns differ by at most this "
        "share of the range of all (default: 0.05)",
    )
    parser.add_argument(
        "--env",
        metavar="ID",
        help="id of the environment that shows the segments; needed where its module is to be "
        "imported (default: the one that they were collected in)",
    )
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of that environment; may be repeated; needed where it names a file",
    )
    parser.add_argument(
        "--dataset",
        type=Path,
        help="folder of the dataset that the segments are from; needed to show these",
    )
    parser.add_argument(
        "--no-window",
        action="store_true",
        help="write the segments to ranking.mp4 in the folder, and read the line in the terminal "
        "(default: where there is no screen)",
    )
    parser.add_argument(
        "--author", help="name stored with the rankings (default: who is logged in)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of which segments are offered")
    parser.set_defaults(run=late("robot_learning.cli.interactive.prefer_rank", "rank"))


def _add_fit(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    parser.add_argument(
        "more",
        type=Path,
        nargs="*",
        default=[],
        help="folders whose rankings are added, as those of a second round",
    )
    parser.add_argument(
        "--ties",
        choices=TIES,
        default=TIES[0],
        help="likelihood of rankings with ties: with a learned probability of a tie (davidson, "
        "rao-kupper), a tie as half a win of each, or ties dropped (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, such as members=3 or held_out=0.1; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fit")
    parser.add_argument(
        "--out", type=Path, help="folder that the reward is written to (default: the first folder)"
    )
    parser.set_defaults(run=late("robot_learning.cli.interactive.prefer_fit", "fit"))
