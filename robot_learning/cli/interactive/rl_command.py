"""`robot-learning rl reinforce`, `rl ppo`: learning from rewards in any gymnasium environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.learning.imitation.references import check_references


def add_parser(subparsers: Subparsers) -> None:
    """Add `rl` with its algorithms."""
    parser = subparsers.add_parser(
        "rl",
        description="Learn a policy from the rewards of a gymnasium environment, without an "
        "expert. What comes out is an ordinary checkpoint.",
    )
    algorithms = parser.add_subparsers(dest="algorithm", metavar="algorithm", required=True)
    reinforce = algorithms.add_parser(
        "reinforce",
        help="REINFORCE, with the return to go and a learned baseline as switches",
        description="Follow the gradient of the expected return, estimated from whole episodes.",
    )
    reinforce.add_argument(
        "--signal",
        choices=("total", "to_go"),
        help="what weighs an action: the return of the whole episode, or the return from that "
        "action on (default: to_go)",
    )
    reinforce.add_argument(
        "--baseline",
        choices=("none", "learned"),
        help="what is subtracted from it: nothing, or a learned value of the state "
        "(default: learned)",
    )
    reinforce.set_defaults(signal=None, baseline=None)
    ppo = algorithms.add_parser(
        "ppo",
        help="proximal policy optimisation",
        description="Take several gradient steps on the same rows, as far as the policy stays near "
        "the one that collected them.",
    )
    ppo.add_argument(
        "--reward",
        type=Path,
        metavar="FOLDER",
        help="learn from the reward that `prefer fit` left in this folder; that of the environment "
        "is only reported (default: the environment's)",
    )
    ppo.add_argument(
        "--reference",
        type=Path,
        metavar="FOLDER",
        help="stay near to the policy of this run or checkpoint, trained on demonstrations "
        "(default: none)",
    )
    reinforce.set_defaults(reward=None, reference=None)
    ppo.set_defaults(signal=None, baseline=None)
    for algorithm in (reinforce, ppo):
        _add_options(algorithm)
        algorithm.set_defaults(run=run)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env",
        required=True,
        metavar="ID",
        help="id of a gymnasium environment, as module:ID if a module registers it; this "
        "package's tasks are robot_learning/Reach-v0 and so on",
    )
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the environment; may be repeated. This package's tasks get "
        "reward=shaped, actions=increments, increment_scale=0.3 and control_rate_hz=20 unless "
        "given",
    )
    parser.add_argument("--steps", type=int, help="steps in the environments (default: 300000)")
    parser.add_argument("--envs", type=int, help="environments in parallel in a run (default: 8)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, such as discount=0.98, hidden='[32, 32]' or ppo.epochs=5; may be "
        "repeated",
    )
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help="runs, each with a seed of its own"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument(
        "--jobs",
        type=int,
        default=0,
        help="runs at a time; 0 means one per core (default: 0)",
    )
    parser.add_argument("--out", type=Path, help="output folder (default: runs/ALGORITHM-ENV)")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="PNG file to draw the learning curves to"
    )
    parser.add_argument("--resume", action="store_true", help="continue the runs in that folder")


def run(arguments: argparse.Namespace) -> int:
    """Run the seeds and show what they learned; 0 when all of them ended well."""
    # Before what trains, which takes seconds to load.
    check_references(arguments.env)
    from robot_learning.cli.interactive.rl_run import run_study

    return run_study(arguments)
