"""`robot-learning evaluate`: how often a policy succeeds in simulation, as a figure or a gate."""

from __future__ import annotations

import argparse
from pathlib import Path

from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.policies.given_folders import check_checkpoint
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.learning.imitation.references import check_references


def add_parser(subparsers: Subparsers) -> None:
    """Add `evaluate`."""
    parser = subparsers.add_parser(
        "evaluate",
        description="Simulate a policy in many environments at once and report how often it "
        "succeeds, with a 95 % interval. The exit code is 1 if --min-success is not reached.",
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a checkpoint or of a training run")
    parser.add_argument("--task", help="task to simulate (default: the one it was trained for)")
    parser.add_argument("--robot", help="robot to simulate (default: the one it was trained for)")
    parser.add_argument(
        "--env",
        metavar="ID",
        help="simulate the gymnasium environment with this id instead of a task; MODULE:ID if a "
        "module registers it (default: the environment it was trained in with --env)",
    )
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the environment; may be repeated (default: the arguments of training)",
    )
    parser.add_argument(
        "--success-return",
        type=float,
        metavar="RETURN",
        help="return from which an episode of a gymnasium environment counts as a success",
    )
    parser.add_argument("--episodes", type=int, default=100, help="number of episodes")
    parser.add_argument(
        "--seed", type=int, default=FIRST_HELD_OUT_SEED, help="seed of the first episode"
    )
    parser.add_argument(
        "--envs", type=int, default=50, help="environments that are simulated at once (default: 50)"
    )
    parser.add_argument(
        "--worlds", dest="envs", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--executed-steps",
        type=int,
        default=0,
        help="steps of each action chunk that are executed; 0 means the policy's own setting "
        "(default: 0)",
    )
    parser.add_argument(
        "--ensemble", action="store_true", help="combine overlapping chunks by temporal ensembling"
    )
    parser.add_argument(
        "--no-expert", action="store_true", help="do not compare the policy with the expert"
    )
    parser.add_argument(
        "--compare", type=Path, help="another checkpoint to compare with, on the same seeds"
    )
    parser.add_argument(
        "--min-success",
        type=float,
        help="success rate, from 0 to 1, below which the exit code is 1",
    )
    parser.add_argument(
        "--lower-bound",
        action="store_true",
        help="compare --min-success with the lower end of the 95 %% interval",
    )
    parser.add_argument(
        "--device", default="cpu", help="where the network runs: auto, cpu, cuda or mps"
    )
    parser.add_argument("--json", type=Path, help="JSON file to write the results to")
    parser.add_argument(
        "--video",
        type=Path,
        help="MP4 file to write a video of some episodes to, failures first",
    )
    parser.add_argument(
        "--video-episodes", type=int, default=4, help="episodes in the video or in the window"
    )
    parser.add_argument("--render", action="store_true", help="show the same episodes in a window")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; 1 when the success threshold is missed."""
    _check(arguments)
    # Told before: what simulates a policy takes seconds to load.
    from robot_learning.cli.policies.evaluating import evaluate

    return evaluate(arguments)


def _check(arguments: argparse.Namespace) -> None:
    """What would otherwise show only after everything was simulated, or never."""
    if arguments.min_success is not None and not 0 <= arguments.min_success <= 1:
        raise ConfigurationError(f"--min-success {arguments.min_success}: a share from 0 to 1")
    if arguments.lower_bound and arguments.min_success is None:
        raise ConfigurationError("--lower-bound: give --min-success too, what it is held against")
    if arguments.video_episodes < 1:
        raise ConfigurationError(f"--video-episodes {arguments.video_episodes}: at least 1")
    for folder in filter(None, (arguments.checkpoint, arguments.compare)):
        check_checkpoint(folder)
    if arguments.env:
        check_references(arguments.env)
