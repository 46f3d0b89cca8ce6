"""The outcome of an episode in a gymnasium environment, while it runs and in its replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robot_learning.core.errors import ConfigurationError, RobotLearningError


@dataclass(frozen=True)
class Take:
    """An evaluated episode, to be replayed.

    Attributes:
        number: number of the episode in the evaluation, from 1.
        seed: seed of the environment.
        success: whether the episode succeeded; None where the environment does not say.
        actions: actions that were taken, one per step.
    """

    number: int
    seed: int
    success: bool | None
    actions: Sequence[Any]


@dataclass
class Outcome:
    """The rewards and the success of an episode so far.

    Success is what `info` says: `is_success` in the last step, or `success` in any step. If
    `success_return` is given, it is a return of at least that much instead.
    """

    success_return: float | None = None
    total_reward: float = 0.0
    _said: bool | None = None

    def add(self, reward: float, info: Mapping[str, Any]) -> None:
        """Take in the reward and the info of a step."""
        self.total_reward += float(reward)
        if "is_success" in info:
            self._said = bool(info["is_success"])
        elif "success" in info:
            self._said = bool(self._said) or bool(info["success"])

    @property
    def success(self) -> bool | None:
        """Whether the episode succeeded, if it is over; None where the environment does not say."""
        if self.success_return is not None:
            return self.total_reward >= self.success_return
        return self._said


def replayed(
    env: Any,
    seed: int,
    actions: Sequence[Any],
    every: int = 1,
    success_return: float | None = None,
) -> Iterator[tuple[int, Any, Outcome | None]]:
    """Take the actions of an episode again and render it.

    Args:
        env: gymnasium environment with a render mode.
        seed: seed of the environment's reset.
        actions: actions of the episode, one per step.
        every: number of steps between rendered ones.
        success_return: return from which the episode counts as a success; None leaves it to
            `info`.

    Yields:
        The number of steps so far, and what `render` returns: at the start, after each `every`
        steps, and at the end; at the end also the outcome of the episode, None before.

    Raises:
        ConfigurationError: the episode cannot be replayed or rendered.
    """
    try:
        yield from _replayed(env, seed, actions, every, Outcome(success_return))
    except RobotLearningError:
        raise
    except Exception as problem:
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        raise ConfigurationError(f"{name}: cannot be shown: {problem}") from problem


def _replayed(
    env: Any, seed: int, actions: Sequence[Any], every: int, outcome: Outcome
) -> Iterator[tuple[int, Any, Outcome | None]]:
    env.reset(seed=seed)
    yield 0, env.render(), None
    for step, action in enumerate(actions, start=1):
        _, reward, terminated, truncated, info = env.step(action)
        outcome.add(reward, info)
        over = terminated or truncated or step == len(actions)
        if over or step % every == 0:
            yield step, env.render(), outcome if over else None
        if over:
            return
