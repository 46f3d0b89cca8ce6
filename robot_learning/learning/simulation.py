"""Validation by rollout: how often a policy succeeds while it is being trained."""

from __future__ import annotations

import logging
from collections.abc import Callable

from robot_learning.episodes.schema import DatasetInfo
from robot_learning.learning.config import ValidationConfig
from robot_learning.learning.evaluation import EvaluationConfig, evaluate
from robot_learning.policies.policy import Policy
from robot_learning.sim.tasks import TASKS

_log = logging.getLogger(__name__)


def rollout_for(
    info: DatasetInfo, validation: ValidationConfig
) -> Callable[[Policy], float] | None:
    """The share of simulated episodes that succeed; None where there is nothing to simulate."""
    if not validation.rollout_episodes:
        return None
    if info.task not in TASKS:
        _log.warning("the task '%s' has no simulation: validation by the loss alone", info.task)
        return None
    config = EvaluationConfig(
        task=info.task,
        robot=info.robot,
        episodes=validation.rollout_episodes,
        seed=validation.rollout_seed,
        worlds=validation.rollout_worlds,
        ask_expert=False,
        reward="sparse",
    )
    return lambda policy: evaluate(policy, config).success.share
