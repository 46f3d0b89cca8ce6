"""Segments: the same number of steps from each of N environments, whose episodes go on after them.

Episodes begin from seeds of their own. The state of a segment's end is each running episode's
number with its actions so far: an environment is brought there again by repeating them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.figures import outcome_figures
from robot_learning.learning.reinforcement.stepping import Stepper
from robot_learning.learning.training.perceptron import Array


@dataclass(frozen=True)
class Segment:
    """T steps of N environments.

    Attributes:
        observations: (T, N, D) observations as the environments gave them.
        inputs: (T, N, D) normalised observations, as the policy saw them.
        drawn: (T, N, n) actions as they were drawn.
        log_density: (T, N) their logarithmic densities.
        values: (T, N) values of the observations.
        next_values: (T, N) values of the true successors.
        rewards: (T, N) rewards.
        terminated, truncated: (T, N) whether an episode was over, or cut off, after a step.
        is_transition: (T, N) whether a step is to be learned from.
        outcomes: mean return, length and success of the episodes that ended.
        ended: number of episodes that ended.
    """

    observations: Float32Array
    inputs: Float32Array
    drawn: Array
    log_density: Array
    values: FloatArray
    next_values: FloatArray
    rewards: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    is_transition: BoolArray
    outcomes: dict[str, Any]
    ended: int


class SegmentCollector:
    """Collects segments, one after another."""

    def __init__(self, stepper: Stepper, seed_of: Callable[[int], int]) -> None:
        """Begin an episode in every environment.

        Args:
            stepper: environments.
            seed_of: gives the seed of an episode's environment, by its number.
        """
        self._stepper, self._seed_of = stepper, seed_of
        count = stepper.count
        self._numbers: IntArray = np.arange(count)
        self._actions: list[list[Float32Array]] = [[] for _ in range(count)]
        self._returns: FloatArray = np.zeros(count)
        stepper.begin([seed_of(number) for number in range(count)])

    def collect(
        self, networks: ActorCritic, scaling: Scaling, steps: int, rng: np.random.Generator
    ) -> Segment:
        """Act for a number of steps in every environment.

        Args:
            networks: policy and critic.
            scaling: scaling of observations and actions.
            steps: number of steps T.
            rng: source of the actions.

        Raises:
            TrainingError: a reward is not a finite number.
        """
        return _Collecting(self, networks, scaling, rng).run(steps)

    def arrays(self) -> dict[str, Any]:
        """Where the environments are."""
        size = self._stepper.actions.size
        parts = [np.array(rows, np.float32).reshape(-1, size) for rows in self._actions]
        return {
            "running_numbers": self._numbers,
            "running_lengths": np.array([len(part) for part in parts]),
            "running_actions": np.concatenate(parts),
            "running_returns": self._returns,
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Bring the environments where they were when `arrays` was called."""
        self._numbers, self._returns = arrays["running_numbers"], arrays["running_returns"]
        lengths: IntArray = arrays["running_lengths"]
        parts = np.split(arrays["running_actions"], np.cumsum(lengths)[:-1])
        self._actions = [list(part) for part in parts]
        self._repeat(lengths)

    def _repeat(self, lengths: IntArray) -> None:
        """Repeat the running episodes, so that all reach their present step at the same time."""
        stepper, longest = self._stepper, int(lengths.max())
        stepper.begin([self._seed_of(number) for number in self._numbers])
        spare = stepper.actions.clipped(np.zeros(stepper.actions.size))
        for now in range(longest + 1):
            due = np.flatnonzero((lengths == longest - now) & (now > 0)).tolist()
            stepper.restart(due, [self._seed_of(self._numbers[slot]) for slot in due])
            if now == longest:
                return
            actions = [
                rows[now - longest + length] if now >= longest - length else spare
                for rows, length in zip(self._actions, lengths.tolist(), strict=True)
            ]
            step = stepper.step(np.array(actions))
            ended = np.flatnonzero(step.ended).tolist()
            stepper.restart(ended, [self._seed_of(self._numbers[slot]) for slot in ended])


class _Collecting:
    """One segment; the rows of each step, to be stacked."""

    def __init__(
        self,
        collector: SegmentCollector,
        networks: ActorCritic,
        scaling: Scaling,
        rng: np.random.Generator,
    ) -> None:
        self._collector, self._networks, self._scaling = collector, networks, scaling
        self._rng = rng
        self._columns: dict[str, list[Any]] = {}
        self._cut: list[tuple[int, int, Float32Array]] = []
        self._outcomes: list[tuple[float, int, float]] = []

    def run(self, steps: int) -> Segment:
        stepper = self._collector._stepper
        for number in range(steps):
            self._step(number)
        columns = {name: np.array(rows) for name, rows in self._columns.items()}
        values = columns.pop("values").astype(np.float64)
        last = self._networks.value(self._scaling.inputs(stepper.rows)).astype(np.float64)
        next_values = np.concatenate([values[1:], last[None]])
        if self._cut:
            reached = self._scaling.inputs(np.array([row for _, _, row in self._cut]))
            for (step, slot, _), value in zip(
                self._cut, self._networks.value(reached), strict=True
            ):
                next_values[step, slot] = value
        returns, lengths, success = (
            zip(*self._outcomes, strict=True) if self._outcomes else ((),) * 3
        )
        return Segment(
            **columns,
            values=values,
            next_values=next_values,
            outcomes=outcome_figures(returns, lengths, success),
            ended=len(returns),
        )

    def _step(self, number: int) -> None:
        networks, stepper = self._networks, self._collector._stepper
        rows = stepper.rows.copy()
        inputs = self._scaling.inputs(rows)
        outputs = networks.actor.forward(inputs)
        distribution = networks.distribution
        drawn = distribution.sample(
            outputs, networks.log_std, distribution.noise(self._rng, len(rows))
        )
        actions = self._scaling.actions(drawn)
        step = stepper.step(actions)
        self._add(
            observations=rows,
            inputs=inputs,
            drawn=drawn,
            log_density=distribution.log_density(outputs, networks.log_std, drawn),
            values=networks.value(inputs),
            rewards=step.rewards,
            terminated=step.terminated,
            truncated=step.truncated,
            is_transition=step.is_transition,
        )
        self._count(actions, step.rewards)
        ended = np.flatnonzero(step.ended).tolist()
        for slot in ended:
            if step.truncated[slot]:
                self._cut.append((number, slot, step.successors[slot].copy()))
            self._end(slot, float(step.success[slot]))
        numbers = self._collector._numbers
        stepper.restart(ended, [self._collector._seed_of(numbers[slot]) for slot in ended])

    def _add(self, **rows: Any) -> None:
        for name, row in rows.items():
            self._columns.setdefault(name, []).append(row)

    def _count(self, actions: Float32Array, rewards: FloatArray) -> None:
        collector = self._collector
        collector._returns = collector._returns + rewards
        for kept, action in zip(collector._actions, actions, strict=True):
            kept.append(action)

    def _end(self, slot: int, success: float) -> None:
        collector = self._collector
        outcome = (float(collector._returns[slot]), len(collector._actions[slot]), success)
        self._outcomes.append(outcome)
        collector._returns[slot] = 0.0
        collector._actions[slot] = []
        collector._numbers = collector._numbers.copy()
        collector._numbers[slot] += len(collector._numbers)
