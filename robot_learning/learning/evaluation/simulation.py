"""Validation by rollout: how often a policy succeeds while it is being trained."""

from __future__ import annotations

import logging
from contextlib import closing

from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.training.batches import observation_keys
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.validation import Rollout
from robot_learning.policies.execution import observation_name
from robot_learning.sim.env import RobotEnv, resolve_robot
from robot_learning.sim.tasks import TASKS

_log = logging.getLogger(__name__)


def rollout_for(dataset: Dataset, config: TrainConfig) -> Rollout | None:
    """A function that returns a policy's simulated success rate; None if not wanted or possible.

    What prevents a simulation is logged.
    """
    validation = config.validation
    if not validation.rollout_episodes:
        return None
    problem = _obstacle(dataset, config)
    if problem:
        _log.warning("validation by the loss alone, there is no simulation: %s", problem)
        return None
    evaluation = EvaluationConfig(
        task=dataset.info.task,
        robot=dataset.info.robot,
        episodes=validation.rollout_episodes,
        seed=validation.rollout_seed,
        envs=validation.rollout_envs,
        ask_expert=False,
        reward="sparse",
    )
    return lambda policy: evaluate(policy, evaluation).success.share


def _obstacle(dataset: Dataset, config: TrainConfig) -> str:
    """Why the dataset's task cannot be simulated; empty if it can."""
    info = dataset.info
    if info.task not in TASKS:
        return f"the task is '{info.task}'"
    keys = observation_keys(dataset, config.data)
    names = [observation_name(key) for key in keys]
    try:
        profile = resolve_robot(info.robot)
        cameras = [name for name in names if name in {camera.name for camera in profile.cameras}]
        env = RobotEnv(profile, info.task, cameras=cameras, control_rate_hz=info.rate_hz)
        with closing(env):
            # Whether images can be rendered here shows only with the first one.
            known, _ = env.reset(seed=config.validation.rollout_seed)
    except RobotLearningError as problem:
        return str(problem)
    if profile.joint_names != info.joint_names:
        return f"the robot '{info.robot}' has other joints than the dataset"
    unknown = [key for key, name in zip(keys, names, strict=True) if name not in known]
    return f"it gives no {', '.join(unknown)}" if unknown else ""
