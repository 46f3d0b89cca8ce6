"""What became of an episode in a gymnasium environment, as it goes and in its replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from robot_learning.core.errors import ConfigurationError, RobotLearningError


@dataclass(frozen=True)
class Take:
    """An evaluated episode, to be replayed.

    Attributes:
        number: in the evaluation, from 1.
        seed: of its environment.
        success: None where nothing says.
        actions: that were taken.
    """

    number: int
    seed: int
    success: bool | None
    actions: Sequence[Any]


@dataclass
class Outcome:
    """The rewards and the success of an episode so far.

    Success is what `info` says: `is_success` in the last step, or `success` in any step. Where it
    says nothing, a return of `success_return` or more.
    """

    success_return: float | None = None
    total_reward: float = 0.0
    _said: bool | None = None

    def add(self, reward: float, info: Mapping[str, Any]) -> None:
        """Take a step's."""
        self.total_reward += float(reward)
        if "is_success" in info:
            self._said = bool(info["is_success"])
        elif "success" in info:
            self._said = bool(self._said) or bool(info["success"])

    @property
    def success(self) -> bool | None:
        """Whether the episode succeeded, if it is over; None where nothing says."""
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
    """Take the actions once more, in `env`, a gymnasium environment that is rendered.

    Yields:
        How many steps were taken, and what `render` gives: at the start, after every so many-th
        step, and at the end; there also what became of the episode.

    Raises:
        ConfigurationError: it cannot be replayed or rendered, here or at all.
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
