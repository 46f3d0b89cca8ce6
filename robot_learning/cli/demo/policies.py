"""Training and judging the policies of the loop, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from robot_learning.cli.demo.learner import Judged, Learnt, learnt_from, round_name
from robot_learning.cli.demo.settings import DemoSettings

_WORLDS = 50
_EXPERT_EVERY = 10


def train_policy(name: str, dataset_path: Path, folder: Path, settings: DemoSettings) -> Learnt:
    """Train on a dataset as `robot-learning train` does.

    Raises:
        RobotLearningError: there is nothing to train on, or the training failed.
    """
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.learning.training.config import parse_overrides
    from robot_learning.learning.training.presets import preset
    from robot_learning.learning.training.trainer import train

    dataset = Dataset(dataset_path)
    config = preset("deterministic").with_values(parse_overrides(settings.training))
    result = train(dataset, config, folder, show_progress=True)
    return learnt_from(name, result.checkpoint, dataset)


def policies_of_rounds(settings: DemoSettings) -> list[Learnt]:
    """What each round of the run has trained, and from how much."""
    from robot_learning.episodes.dataset.dataset import Dataset
    from robot_learning.learning.interactive.round_folders import trained_checkpoint
    from robot_learning.learning.interactive.rounds import load_run

    dataset = Dataset(settings.dataset)
    numbers = [round_.number for round_ in load_run(settings.dagger_run).rounds]
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
    from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
    from robot_learning.learning.training.threads import one_thread
    from robot_learning.policies.checkpoint import load_checkpoint

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
    from robot_learning.learning.evaluation.evaluation import compare

    first = judged[0]
    return [
        first,
        *(
            replace(each, against_first=compare(first.evaluation, each.evaluation))
            for each in judged[1:]
        ),
    ]
