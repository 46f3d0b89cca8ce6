"""Whole episodes by their numbers, several at a time.

Which episodes are played is fixed before: taking the first that end would favour short ones. All
draws in an episode follow from its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.stepper import Step, Stepper
from robot_learning.learning.training.perceptron import Array

Choose = Callable[[Float32Array, Sequence[int]], tuple[Array, Float32Array]]
"""From observations (N, D) and the episodes' numbers to what was drawn, and to actions (N, n)."""
_IDLE = -1


@dataclass(frozen=True)
class Episode:
    """T steps.

    Attributes:
        number: number of the episode.
        observations: (T, D) observations as the environment gave them.
        drawn: (T, n) actions as they were drawn.
        rewards: (T,) rewards.
        terminated: whether the task was over; otherwise the episode was cut off.
        last: (D,) observation that the last action led to.
        success: 1 for a success, 0 for none, NaN where the environment does not say.
    """

    number: int
    observations: Float32Array
    drawn: Array
    rewards: FloatArray
    terminated: bool
    last: Float32Array
    success: float

    @property
    def total(self) -> float:
        """Return without a discount."""
        return float(self.rewards.sum())

    def __len__(self) -> int:
        """Number of steps T."""
        return len(self.rewards)


def play(
    stepper: Stepper, choose: Choose, numbers: Sequence[int], seed_of: Callable[[int], int]
) -> list[Episode]:
    """Play episodes to their ends, in as many environments as there are.

    Args:
        stepper: environments that can begin an episode from a seed, as `make_stepper` makes them.
        choose: gives the actions.
        numbers: numbers of the episodes.
        seed_of: gives the seed of an episode's environment, by its number.

    Returns:
        The episodes in the order of their numbers.
    """
    return _Playing(stepper, choose, list(numbers), seed_of).run()


class _Playing:
    def __init__(
        self,
        stepper: Stepper,
        choose: Choose,
        numbers: list[int],
        seed_of: Callable[[int], int],
    ) -> None:
        self._stepper, self._choose, self._seed_of = stepper, choose, seed_of
        self._waiting = sorted(numbers, reverse=True)
        self._spare = min(numbers)
        self._slots = [self._next() for _ in range(stepper.count)]
        self._begun = [0] * stepper.count
        self._rows: list[Float32Array] = []
        self._drawn: list[Array] = []
        self._rewards: list[FloatArray] = []
        self._found: list[Episode] = []

    def run(self) -> list[Episode]:
        stepper = self._stepper
        stepper.begin([self._seed(number) for number in self._slots])
        while any(number != _IDLE for number in self._slots):
            rows = stepper.rows.copy()
            drawn, actions = self._choose(rows, self._slots)
            step = stepper.step(actions)
            self._rows.append(rows)
            self._drawn.append(drawn)
            self._rewards.append(step.rewards)
            ended = np.flatnonzero(step.ended).tolist()
            for slot in ended:
                self._end(slot, step)
            stepper.restart(ended, [self._seed(self._slots[slot]) for slot in ended])
            self._forget()
        return sorted(self._found, key=lambda episode: episode.number)

    def _next(self) -> int:
        return self._waiting.pop() if self._waiting else _IDLE

    def _seed(self, number: int) -> int:
        """An environment without an episode plays on, and nobody looks."""
        return self._seed_of(self._spare if number == _IDLE else number)

    def _end(self, slot: int, step: Step) -> None:
        begin, number = self._begun[slot], self._slots[slot]
        self._begun[slot] = len(self._rows)
        if number == _IDLE:
            return
        self._slots[slot] = self._next()
        self._found.append(
            Episode(
                number=number,
                observations=np.array([rows[slot] for rows in self._rows[begin:]]),
                drawn=np.array([drawn[slot] for drawn in self._drawn[begin:]]),
                rewards=np.array([rewards[slot] for rewards in self._rewards[begin:]]),
                terminated=bool(step.terminated[slot]),
                last=step.successors[slot].copy(),
                success=float(step.success[slot]),
            )
        )

    def _forget(self) -> None:
        """Drop the steps that no running episode reaches back to."""
        first = min(
            (b for b, number in zip(self._begun, self._slots, strict=True) if number != _IDLE),
            default=len(self._rows),
        )
        if first > 1000:
            for kept in (self._rows, self._drawn, self._rewards):
                del kept[:first]
            self._begun = [begin - first for begin in self._begun]
