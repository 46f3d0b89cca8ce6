"""What `robot-learning ci` does: make the checks, and print and write what they found."""

from __future__ import annotations

import argparse

from robot_learning.cli.ci.checks import run_checks
from robot_learning.cli.ci.report import Verdict, write_junit
from robot_learning.cli.ci.settings import (
    LAST,
    DatasetCheck,
    Pipeline,
    PolicyCheck,
    RoundCheck,
    read_pipeline,
)
from robot_learning.core.errors import ConfigurationError


def run(arguments: argparse.Namespace) -> int:
    """Make the checks, a line each; 1 when one did not pass."""
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
