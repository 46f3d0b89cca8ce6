"""Segments: the same number of steps from each of N environments, whose episodes go on after them.

Episodes begin from seeds of their own. The state of a segment's end is each running episode's
number with its actions so far: an environment is brought there again by repeating them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


class _Running:
    """The episodes under way, one in each environment."""

    def __init__(self, count: int) -> None:
        self.numbers: IntArray = np.arange(count)
        self.actions: list[list[Float32Array]] = [[] for _ in range(count)]
        self.returns: FloatArray = np.zeros(count)

    def add(self, actions: Float32Array, rewards: FloatArray, is_transition: BoolArray) -> None:
        """Add a step, where it was one: a step that only begins an episode is none."""
        self.returns = self.returns + np.where(is_transition, rewards, 0.0)
        for slot in np.flatnonzero(is_transition).tolist():
            self.actions[slot].append(actions[slot])

    def end(self, slot: int) -> tuple[float, int]:
        """End an episode; its environment goes on with the next number that is its own."""
        outcome = float(self.returns[slot]), len(self.actions[slot])
        self.returns[slot] = 0.0
        self.actions[slot] = []
        self.numbers[slot] += len(self.numbers)
        return outcome


class SegmentCollector:
    """Collects segments, one after another."""

    def __init__(self, stepper: Stepper, seed_of: Callable[[int], int]) -> None:
        """Begin an episode in every environment.

        Args:
            stepper: environments.
            seed_of: gives the seed of an episode's environment, by its number.
        """
        self._stepper, self._seed_of = stepper, seed_of
        self._running = _Running(stepper.count)
        stepper.begin([seed_of(number) for number in range(stepper.count)])

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
            TrainingError: a reward or an observation is not finite.
        """
        collecting = _Collecting(
            self._stepper, self._running, self._restart, networks, scaling=scaling, rng=rng
        )
        return collecting.run(steps)

    def arrays(self) -> dict[str, Any]:
        """Where the environments are."""
        size, running = self._stepper.actions.size, self._running
        parts = [np.array(rows, np.float32).reshape(-1, size) for rows in running.actions]
        return {
            "running_numbers": running.numbers,
            "running_lengths": np.array([len(part) for part in parts]),
            "running_actions": np.concatenate(parts),
            "running_returns": running.returns,
        }

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Bring the environments where they were when `arrays` was called."""
        running = self._running
        running.numbers = arrays["running_numbers"].copy()
        running.returns = arrays["running_returns"].copy()
        lengths: IntArray = arrays["running_lengths"]
        parts = np.split(arrays["running_actions"], np.cumsum(lengths)[:-1])
        running.actions = [list(part) for part in parts]
        self._repeat(lengths)

    def _restart(self, slots: Sequence[int]) -> None:
        """Begin the running episodes of some environments."""
        numbers = self._running.numbers
        self._stepper.restart(slots, [self._seed_of(int(numbers[slot])) for slot in slots])

    def _repeat(self, lengths: IntArray) -> None:
        """Repeat the running episodes, so that all reach their present step at the same time."""
        stepper, longest = self._stepper, int(lengths.max())
        stepper.begin([self._seed_of(int(number)) for number in self._running.numbers])
        spare = stepper.actions.clipped(np.zeros(stepper.actions.size))
        for now in range(longest + 1):
            if now:
                self._restart(np.flatnonzero(lengths == longest - now).tolist())
            if now == longest:
                return
            actions = [
                rows[now - longest + length] if now >= longest - length else spare
                for rows, length in zip(self._running.actions, lengths.tolist(), strict=True)
            ]
            step = stepper.step(np.array(actions))
            # Those that ended were only waiting for their turn.
            self._restart(np.flatnonzero(step.ended).tolist())


class _Collecting:
    """One segment; the rows of each step, to be stacked."""

    def __init__(
        self,
        stepper: Stepper,
        running: _Running,
        restart: Callable[[Sequence[int]], None],
        networks: ActorCritic,
        *,
        scaling: Scaling,
        rng: np.random.Generator,
    ) -> None:
        self._stepper, self._running, self._restart = stepper, running, restart
        self._networks, self._scaling, self._rng = networks, scaling, rng
        self._columns: dict[str, list[Any]] = {}
        self._ends: list[tuple[int, int, Float32Array]] = []
        self._outcomes: list[tuple[float, int, float]] = []

    def run(self, steps: int) -> Segment:
        for number in range(steps):
            self._step(number)
        columns = {name: np.array(rows) for name, rows in self._columns.items()}
        values = columns.pop("values").astype(np.float64)
        returns = [outcome[0] for outcome in self._outcomes]
        lengths = [outcome[1] for outcome in self._outcomes]
        success = [outcome[2] for outcome in self._outcomes]
        return Segment(
            **columns,
            values=values,
            next_values=self._next_values(values),
            outcomes=outcome_figures(returns, lengths, success),
            ended=len(returns),
        )

    def _next_values(self, values: FloatArray) -> FloatArray:
        """(T, N) values of the true successors, also where an episode ended."""
        found = np.concatenate([values[1:], self._value(self._stepper.rows)[None]])
        if self._ends:
            reached = self._value(np.array([row for _, _, row in self._ends]))
            for (step, slot, _), value in zip(self._ends, reached, strict=True):
                found[step, slot] = value
        return found

    def _value(self, rows: Float32Array) -> FloatArray:
        return self._networks.value(self._scaling.inputs(rows)).astype(np.float64)

    def _step(self, number: int) -> None:
        networks, stepper = self._networks, self._stepper
        rows = stepper.rows.copy()
        inputs = self._scaling.inputs(rows)
        outputs = networks.actor.forward(inputs)
        distribution = networks.distribution
        noise = distribution.noise(self._rng, len(rows))
        drawn = distribution.sample(outputs, networks.log_std, noise)
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
        self._running.add(actions, step.rewards, step.is_transition)
        ended = np.flatnonzero(step.ended).tolist()
        for slot in ended:
            self._ends.append((number, slot, step.successors[slot].copy()))
            self._outcomes.append((*self._running.end(slot), float(step.success[slot])))
        self._restart(ended)

    def _add(self, **rows: Any) -> None:
        for name, row in rows.items():
            self._columns.setdefault(name, []).append(row)
