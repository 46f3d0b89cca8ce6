"""Training and judging the policies of the loop, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from robot_learning.cli.demo.learner import Judged, Learnt, learnt_from, round_name
from robot_learning.cli.demo.settings import BC, DART, DemoSettings
from robot_learning.core.child import Child
from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, compare, evaluate
from robot_learning.learning.interactive.round_folders import trained_checkpoint
from robot_learning.learning.interactive.round_jobs import TrainJob, worker_command
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.round_worker import train_round
from robot_learning.learning.interactive.rounds import load_run
from robot_learning.learning.training.config import parse_overrides
from robot_learning.learning.training.threads import one_thread
from robot_learning.policies.checkpoint import load_checkpoint

_WORLDS = 50
_EXPERT_EVERY = 10


def train_policies(settings: DemoSettings) -> list[Learnt]:
    """Train BC here, with a progress bar, and DART meanwhile in a process of its own.

    Raises:
        RobotLearningError: there is nothing to train on, or a training failed.
    """
    training = RoundSettings(settings=parse_overrides(settings.training))
    folders = {BC: settings.folder / "policy_bc", DART: settings.folder / "policy_dart"}
    datasets = {BC: settings.dataset, DART: settings.dart_dataset}
    jobs = {name: TrainJob(str(datasets[name]), str(folders[name]), training) for name in folders}
    with Child(worker_command(jobs[DART])) as beside:
        train_round(jobs[BC])
        if beside.wait():
            raise RobotLearningError(f"the training of {DART} failed: {beside.last_line}")
    return [
        learnt_from(name, best_checkpoint(folders[name]), Dataset(datasets[name]))
        for name in folders
    ]


def policies_of_rounds(settings: DemoSettings) -> list[Learnt]:
    """What each round of the run has trained, and from how much."""
    dataset = Dataset(settings.dataset)
    numbers = [round_.number for round_ in load_run(settings.dagger_run).iterations]
    return [
        learnt_from(
            round_name(number),
            trained_checkpoint(settings.dagger_run, number),
            dataset.select(rounds=range(number + 1)),
        )
        for number in numbers
    ]


def judge(learnt: Learnt, settings: DemoSettings) -> Judged:
    """Evaluate a policy on the scenes that every policy is evaluated on.

    Raises:
        RobotLearningError: its checkpoint cannot be read, or does not fit.
    """
    config = EvaluationConfig(
        task=settings.task,
        robot=settings.robot,
        episodes=settings.evaluations,
        seed=settings.evaluation_seed,
        worlds=_WORLDS,
        expert_every=_EXPERT_EVERY,
        # On its own states only: where experts choose freely, as at the post, one that drives
        # may choose otherwise than the demonstrator did, and that is no error.
        shadow_episodes=0,
    )
    policy = load_checkpoint(learnt.checkpoint).policy
    with one_thread():
        return Judged(learnt, evaluate(policy, config))


def compared(judged: Sequence[Judged]) -> list[Judged]:
    """Each with the paired comparison of the first one with it."""
    first = judged[0]
    return [
        first,
        *(
            replace(each, against_first=compare(first.evaluation, each.evaluation))
            for each in judged[1:]
        ),
    ]
