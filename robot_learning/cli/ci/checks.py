"""The checks of a pipeline, each a function that tells what it found or raises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from robot_learning.cli.ci.report import Result, Verdict
from robot_learning.cli.ci.settings import DatasetCheck, Pipeline, PolicyCheck, RoundCheck
from robot_learning.cli.machine.profiles import summary
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ProfileError, RobotLearningError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.names import find_episode
from robot_learning.episodes.store.recovery import verify_dataset

Check = Callable[[], str]


class CheckFailedError(RobotLearningError):
    """A check was made and its answer is bad news."""


def run_checks(pipeline: Pipeline) -> Iterator[Result]:
    """Make every check, one after the other; none keeps another from being made."""
    for group, name, check in _checks(pipeline):
        begin_s = time.monotonic()
        verdict = Verdict.PASSED
        try:
            text = check()
        except CheckFailedError as problem:
            verdict, text = Verdict.FAILED, str(problem)
        except ProfileError as problem:
            verdict, text = Verdict.ERROR, "\n".join(problem.mistakes)
        except (RobotLearningError, OSError) as problem:
            verdict, text = Verdict.ERROR, str(problem)
        yield Result(group, name, verdict, text, time.monotonic() - begin_s)


def _checks(pipeline: Pipeline) -> Iterator[tuple[str, str, Check]]:
    for name in pipeline.profiles:
        yield "profile", name, partial(check_profile, name)
    for dataset in pipeline.datasets:
        yield "dataset", str(dataset.path), partial(verify, dataset.path)
        for episode in dataset.replay:
            yield "replay", f"{dataset.path} {episode}", partial(check_replay, dataset, episode)
    for policy in pipeline.policies:
        yield "policy", str(policy.checkpoint), partial(check_policy, policy)
    for round_ in pipeline.rounds:
        yield "round", str(round_.dataset), partial(check_round, round_)


def check_profile(name: str) -> str:
    """Read a profile strictly and compile its model.

    Raises:
        ProfileError: something is wrong with it.
    """
    from robot_learning.cli.machine.profile_model import check_model

    profile = load_profile(name)
    model, warnings = check_model(profile)
    return "\n".join([str(profile.path), summary(profile), model, *warnings])


def verify(path: Path) -> str:
    """Check every invariant and digest of a dataset.

    Raises:
        CheckFailedError: it is empty, or has problems.
        DatasetError: there is none.
    """
    folder = DatasetFolder(path)
    count = len(folder.episode_names())
    if not count:
        raise CheckFailedError(f"{path}: has no episode")
    problems = verify_dataset(folder)
    if problems:
        raise CheckFailedError("\n".join(problems))
    return f"{amount(count, 'episode')}, everything is sound"


def check_replay(check: DatasetCheck, episode: str) -> str:
    """Send an episode's applied actions through the arbiter in simulation once more.

    Raises:
        CheckFailedError: a joint strayed too far, or the arbiter did not let it drive.
    """
    from robot_learning.cli.dataset.replay import is_faithful, replay_in_simulation

    folder = DatasetFolder(check.path)
    name = find_episode(episode, folder.episode_names())
    result, _ = replay_in_simulation(folder.episodes_path / name)
    most = float(result.largest.max())
    text = "\n".join(
        [f"strayed by at most {most:.4f}; the limit is {check.bound:g}", *result.lines()]
    )
    if not is_faithful(result, check.bound):
        raise CheckFailedError(text)
    return text


def check_policy(check: PolicyCheck) -> str:
    """Simulate a checkpoint and hold its success against what is asked.

    Raises:
        CheckFailedError: it succeeds too rarely.
        CheckpointError: there is none, or it is damaged.
    """
    from robot_learning.cli.ci.policy_check import judge_policy

    passed, text = judge_policy(check)
    if not passed:
        raise CheckFailedError(text)
    return text


def check_round(check: RoundCheck) -> str:
    """Run a round of DAgger over the nodes in lockstep, on a copy of a dataset.

    Raises:
        CheckFailedError: it did not come to its end, or what it left is not sound.
        RobotLearningError: there is no such dataset or checkpoint, or no ROS 2.
    """
    from robot_learning.cli.ci.round_check import RoundFailedError, run_round

    try:
        return run_round(check)
    except RoundFailedError as problem:
        raise CheckFailedError(str(problem)) from problem
