"""`robot-learning ci`: profiles, datasets and policies as one check that can fail a build."""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.ci.settings import DEFAULT_BOUND
from robot_learning.cli.common.command_parser import Subparsers
from robot_learning.cli.common.late import late

_EPILOG = """\
a YAML file can list several checks of each kind (paths are relative to the file):
  profiles: [desk_arm]
  datasets:
    - {path: data/sample, replay: [last], bound: 0.05}
  policies:
    - {checkpoint: runs/lift, min_success: 0.9, lower_bound: true, episodes: 50}
  rounds:
    - {dataset: data/lift, episodes: 2, steps: 200}
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add `ci`."""
    parser = subparsers.add_parser(
        "ci",
        description="Check profiles, verify and replay datasets, simulate checkpoints, and run "
        "rounds of DAgger over the ROS nodes in lockstep. The exit code is 1 if a check fails or "
        "cannot be made, and 2 if no check was asked for.",
        epilog=_EPILOG,
    )
    parser.add_argument("file", nargs="?", type=Path, help="YAML file that lists the checks")
    parser.add_argument(
        "--profile", action="append", default=[], help="robot to check; may be repeated"
    )
    parser.add_argument(
        "--dataset",
        action="append",
        default=[],
        type=Path,
        help="dataset to verify; may be repeated",
    )
    parser.add_argument(
        "--replay",
        action="append",
        metavar="EPISODE",
        help="episode of each dataset to replay in simulation; may be repeated (default: last)",
    )
    parser.add_argument(
        "--bound",
        type=float,
        default=DEFAULT_BOUND,
        metavar="RAD",
        help="how far a joint may stray during a replay, rad or m (default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=Path,
        help="checkpoint to simulate; may be repeated",
    )
    parser.add_argument(
        "--min-success", type=float, help="success rate that each checkpoint must reach"
    )
    parser.add_argument(
        "--lower-bound",
        action="store_true",
        help="compare --min-success with the lower end of the 95 %% interval",
    )
    parser.add_argument(
        "--episodes", type=int, help="episodes to simulate for each checkpoint (default: 100)"
    )
    parser.add_argument(
        "--seed", type=int, help="seed of the first of these episodes (default: 100000)"
    )
    parser.add_argument(
        "--round",
        action="append",
        default=[],
        type=Path,
        metavar="DATASET",
        help="run a round of DAgger over the ROS nodes in lockstep, on a copy of this dataset; may "
        "be repeated",
    )
    parser.add_argument("--junit", type=Path, help="XML file to write the results to")
    parser.set_defaults(run=late("robot_learning.cli.ci.pipeline", "run"))
