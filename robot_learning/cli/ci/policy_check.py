"""The check that a policy succeeds often enough in simulation."""

from __future__ import annotations

from robot_learning.cli.ci.settings import PolicyCheck
from robot_learning.cli.policies.success_threshold import SuccessThreshold
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.policies.checkpoint import load_checkpoint


def judge_policy(check: PolicyCheck) -> tuple[bool, str]:
    """Simulate a checkpoint: whether it succeeds as often as is asked, and the figures in words.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    checkpoint = load_checkpoint(check.checkpoint)
    config = EvaluationConfig(
        task=check.task or checkpoint.details.task,
        robot=check.robot or checkpoint.details.robot,
        episodes=check.episodes,
        seed=check.seed,
        ask_expert=False,
        reward="sparse",
    )
    success = evaluate(checkpoint.policy, config).success
    threshold = SuccessThreshold(check.min_success, check.lower_bound)
    text = f"{config.task} on {config.robot}: success {success}; {threshold.verdict(success)}"
    return threshold.is_passed(success), text
