"""What `evaluate` simulates: one of this package's tasks, or a gymnasium environment."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.evaluation.evaluation import (
    Comparison,
    Evaluation,
    EvaluationConfig,
    compare,
    evaluate,
)
from robot_learning.learning.evaluation.intervals import Share
from robot_learning.learning.evaluation.outcomes import Take
from robot_learning.learning.imitation.gym_evaluation import (
    PICTURES,
    WINDOW,
    GymConfig,
    GymEvaluation,
    compare_in_gym,
    evaluate_in_gym,
)
from robot_learning.learning.training.config import parse_overrides
from robot_learning.policies.checkpoint import Checkpoint
from robot_learning.policies.environment import EnvironmentDetails
from robot_learning.policies.execution import ExecutionConfig
from robot_learning.policies.trained_policy import TrainedPolicy
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.env import RobotEnv

Progress = Callable[[int, int], None]
Show = Callable[[Take, int], None]
"""Is given the episode, and how many of its steps were taken."""


class Evaluated(Protocol):
    """What both kinds of evaluations tell; see `Evaluation`."""

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def reward(self) -> str: ...  # noqa: D102
    @property
    def success(self) -> Share | None: ...  # noqa: D102
    @property
    def figures(self) -> dict[str, float]: ...  # noqa: D102
    @property
    def takes(self) -> list[Take]: ...  # noqa: D102
    def to_plain(self) -> dict[str, Any]: ...  # noqa: D102


class Trial(Protocol):
    """What is simulated, for one checkpoint after the other."""

    @property
    def out_of_memory(self) -> str:
        """What to say when memory runs out."""

    @property
    def success_return(self) -> float | None:
        """Return of an episode that has succeeded, where nothing else says."""

    def evaluated(self, checkpoint: Checkpoint, progress: Progress) -> Evaluated:
        """Simulate it."""

    def compared(self, first: Any, second: Any) -> Comparison | None:
        """The paired test of two evaluations of this trial; None where success is unknown."""

    def pictured(self, rate_hz: float) -> tuple[Any, float]:
        """An environment that gives pictures, for replays, and its steps a second.

        `rate_hz` is the policy's.
        """

    def windowed(self, rate_hz: float) -> AbstractContextManager[tuple[Any, Show]]:
        """While it is entered: an environment for replays, and what shows a step in a window.

        `rate_hz` is the policy's.

        Raises:
            RobotLearningError: no window can be opened here, or it has none.
        """


def trial_of(arguments: argparse.Namespace, checkpoint: Checkpoint) -> Trial:
    """The trial that the options ask for, by default in what the checkpoint was trained for.

    Raises:
        ConfigurationError: the options do not fit each other, or nothing says where.
    """
    details = checkpoint.details
    if arguments.env:
        if arguments.task or arguments.robot:
            raise ConfigurationError("--env: a task and a robot belong to no other environment")
        return _in_gym(arguments, details.environment or EnvironmentDetails())
    task, robot = arguments.task or details.task, arguments.robot or details.robot
    if task and robot:
        for option in ("env_set", "success_return"):
            if getattr(arguments, option):
                raise ConfigurationError(f"--{option.replace('_', '-')} goes with --env")
        return _in_simulation(arguments, task, robot)
    if details.environment is None:
        raise ConfigurationError(
            "the checkpoint names no task and robot, and no environment: give --task and --robot, "
            "or --env, the id of the gymnasium environment that it was trained in"
        )
    return _in_gym(arguments, details.environment)


def _execution(arguments: argparse.Namespace) -> ExecutionConfig:
    return ExecutionConfig(arguments.executed_steps, arguments.ensemble)


def _in_simulation(arguments: argparse.Namespace, task: str, robot: str) -> TaskTrial:
    return TaskTrial(
        EvaluationConfig(
            task=task,
            robot=robot,
            episodes=arguments.episodes,
            seed=arguments.seed,
            envs=arguments.envs,
            execution=_execution(arguments),
            ask_expert=not arguments.no_expert,
        )
    )


def _in_gym(arguments: argparse.Namespace, trained: EnvironmentDetails) -> GymTrial:
    """Only what stands on the command line may name modules to import and files to read."""
    identifier = arguments.env or trained.trusted_id()
    given = parse_overrides(arguments.env_set)
    # Arguments of one environment say nothing of another one.
    known = identifier == trained.id
    success_return = arguments.success_return
    if success_return is None and known:
        success_return = trained.success_return
    config = GymConfig(
        env=identifier,
        arguments=trained.trusted_arguments(given) if known else given,
        episodes=arguments.episodes,
        seed=arguments.seed,
        max_steps=trained.max_episode_steps if known else 0,
        success_return=success_return,
    )
    return GymTrial(config, _execution(arguments))


@dataclass(frozen=True)
class TaskTrial:
    """One of this package's tasks, with one of its robots."""

    config: EvaluationConfig
    success_return: float | None = None

    @property
    def out_of_memory(self) -> str:
        """Name what it depends on."""
        envs, episodes = self.config.envs, self.config.episodes
        return (
            f"out of memory with {amount(envs, 'environment')} at once and "
            f"{amount(episodes, 'episode')}: fewer may fit (--envs, --episodes)"
        )

    def evaluated(self, checkpoint: Checkpoint, progress: Progress) -> Evaluation:
        """Many environments at once."""
        return evaluate(checkpoint.policy, self.config, progress)

    def compared(self, first: Evaluation, second: Evaluation) -> Comparison:
        """The paired test."""
        return compare(first, second)

    def pictured(self, rate_hz: float) -> tuple[Any, float]:
        """The task's environment, seen as people look at it."""
        return self._env(rate_hz, PICTURES), rate_hz

    @contextmanager
    def windowed(self, rate_hz: float) -> Iterator[tuple[RobotEnv, Show]]:
        """The task's scene in MuJoCo's window, in real time."""
        period_s = 1.0 / rate_hz
        with closing(self._env(rate_hz)) as env, closing(Viewer(env.world)) as viewer:

            def show(take: Take, steps: int) -> None:
                facts = {"episode": str(take.number), "seed": str(take.seed)}
                viewer.caption({**facts, "time": f"{steps * period_s:.2f} s"})
                viewer.show(time.monotonic_ns())
                time.sleep(period_s)

            yield env, show

    def _env(self, rate_hz: float, render_mode: str | None = None) -> RobotEnv:
        config = self.config
        return RobotEnv(config.robot, config.task, control_rate_hz=rate_hz, render_mode=render_mode)


@dataclass(frozen=True)
class GymTrial:
    """A gymnasium environment."""

    config: GymConfig
    execution: ExecutionConfig

    @property
    def out_of_memory(self) -> str:
        """Name what it depends on."""
        return (
            f"out of memory with {amount(self.config.episodes, 'episode')}: fewer may fit "
            "(--episodes)"
        )

    @property
    def success_return(self) -> float | None:
        """As it is configured."""
        return self.config.success_return

    def evaluated(self, checkpoint: Checkpoint, progress: Progress) -> GymEvaluation:
        """One episode after the other."""
        policy = TrainedPolicy(checkpoint, self.execution)
        return evaluate_in_gym(policy, self.config, progress)

    def compared(self, first: GymEvaluation, second: GymEvaluation) -> Comparison | None:
        """The paired test, where it is known what succeeded."""
        return compare_in_gym(first, second)

    def pictured(self, rate_hz: float) -> tuple[Any, float]:
        """The same environment, drawn into arrays, at the rate that it states."""
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            # Gymnasium's MuJoCo environments would try to open a window first, and give up.
            os.environ.setdefault("MUJOCO_GL", "egl")
        env = self.config.make(PICTURES)
        rate = (env.metadata or {}).get("render_fps") or rate_hz
        return env, float(rate)

    @contextmanager
    def windowed(self, rate_hz: float) -> Iterator[tuple[Any, Show]]:
        """The environment's own window, which it shows by itself."""

        def show(_take: Take, _steps: int) -> None:
            """Nothing is left to do."""

        with closing(self.config.make(WINDOW)) as env:
            yield env, show
