"""What is learned from rewards, with which settings, and what it should come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.own_tasks import task_arguments
from robot_learning.learning.reinforcement.study import ReinforcementStudy


@dataclass(frozen=True)
class Case:
    """One environment.

    Attributes:
        env: gymnasium id.
        steps: number of steps in the environments.
        figure: what is told: the mean `return`, the mean `success`, or how many seeds have
            `solved` it.
        bound: bound that the figure is to keep; empty for none.
        algorithm: `reinforce` or `ppo`.
        seeds: number of runs.
        settings: settings that are not the default.
        arguments: arguments of the environment.
        solved_at: return from which on a seed has solved it.
    """

    env: str
    steps: int
    figure: str
    bound: str = ""
    algorithm: str = "ppo"
    seeds: int = 3
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    solved_at: float = 0.0


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        steps: largest number of steps of a run; 0 for that of the case.
        seeds: largest number of seeds; 0 for that of the case.
        final_episodes: number of episodes that measure the policy which is kept.
    """

    steps: int = 0
    seeds: int = 0
    final_episodes: int = 100

    @classmethod
    def quick(cls) -> Effort:
        """A few updates of two seeds."""
        return cls(steps=4096, seeds=2, final_episodes=5)


CASES = {
    "cartpole": Case(
        "CartPole-v1", 300_000, "solved", ">= 4", "reinforce", seeds=5, solved_at=475.0
    ),
    "pendulum": Case("Pendulum-v1", 200_000, "return", ">= -200", settings={"discount": 0.9}),
    "acrobot": Case("Acrobot-v1", 300_000, "return", ">= -100"),
    "reach": Case("robot_learning/Reach-v0", 100_000, "success", ">= 0.95"),
    "lift": Case("robot_learning/Lift-v0", 5_000_000, "success", ">= 0.9"),
    "hopper": Case("Hopper-v5", 1_000_000, "return"),
}


def study_of(case: Case, effort: Effort, folder: Path, processes: int) -> ReinforcementStudy:
    """The runs of a case."""
    config = ReinforcementConfig().with_values(
        {
            "algorithm": case.algorithm,
            "steps": min(case.steps, effort.steps or case.steps),
            "evaluation.final_episodes": effort.final_episodes,
            "evaluation.episodes": min(10, effort.final_episodes),
            **case.settings,
        }
    )
    return ReinforcementStudy(
        config=config,
        env=case.env,
        folder=folder,
        seeds=tuple(range(min(case.seeds, effort.seeds or case.seeds))),
        env_kwargs={**task_arguments(case.env, config.discount), **case.arguments},
        jobs=processes,
    )
