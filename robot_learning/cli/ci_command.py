"""`robot-learning ci`: profiles, datasets and policies as one check that can fail a build."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.ci.settings import DEFAULT_BOUND
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.cli.ci.settings import Pipeline

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the checks, a line each; 1 when one did not pass."""
    from robot_learning.cli.ci.checks import run_checks
    from robot_learning.cli.ci.report import Verdict, write_junit
    from robot_learning.cli.ci.settings import read_pipeline

    pipeline = _asked_for(arguments)
    if arguments.file:
        pipeline = read_pipeline(arguments.file) + pipeline
    pipeline.refuse_empty()
    results = []
    for result in run_checks(pipeline):
        results.append(result)
        first, *more = result.text.splitlines() or [""]
        print(f"{result.verdict.value:7} {result.group:8} {result.name} ({result.wall_s:.1f} s)")
        shown = [first] if result.verdict is Verdict.PASSED else [first, *more]
        print("\n".join(f"        {line}" for line in shown), flush=True)
    if arguments.junit:
        write_junit(arguments.junit, results)
    passed = sum(result.verdict is Verdict.PASSED for result in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


def _asked_for(arguments: argparse.Namespace) -> Pipeline:
    """What the options ask for."""
    from robot_learning.cli.ci.settings import LAST, DatasetCheck, Pipeline, PolicyCheck, RoundCheck

    chosen = {"episodes": arguments.episodes, "seed": arguments.seed}
    given = {name: value for name, value in chosen.items() if value is not None}
    if arguments.checkpoint and arguments.min_success is None:
        raise ConfigurationError("--checkpoint wants --min-success: what share must succeed?")
    for option, value, needs, there in (
        ("--min-success", arguments.min_success, "--checkpoint", arguments.checkpoint),
        ("--replay", arguments.replay, "--dataset", arguments.dataset),
    ):
        if value is not None and not there:
            raise ConfigurationError(f"{option} goes with {needs}")
    return Pipeline(
        profiles=tuple(arguments.profile),
        datasets=tuple(
            DatasetCheck(path, tuple(arguments.replay or [LAST]), arguments.bound)
            for path in arguments.dataset
        ),
        policies=tuple(
            PolicyCheck(path, arguments.min_success, arguments.lower_bound, **given)
            for path in arguments.checkpoint
        ),
        rounds=tuple(RoundCheck(path) for path in arguments.round),
    )
