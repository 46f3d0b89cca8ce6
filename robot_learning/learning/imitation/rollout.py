"""Episodes in lockstep: one forward pass for all environments, and one step of each.

All draws in an episode follow from its number, so that an episode that was lost with a killed
process is the same when it is simulated again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.types import BoolArray, IntArray
from robot_learning.learning.imitation.data import Episode, EpisodeHeader
from robot_learning.learning.imitation.drivers import Driver, Step
from robot_learning.learning.imitation.env_calls import reset_env, step_env
from robot_learning.learning.imitation.expert import (
    Expert,
    ExpertSource,
    Labeller,
    begin_episode,
)
from robot_learning.learning.imitation.spaces import (
    ActionLayout,
    Float32Array,
    ObservationLayout,
)
from robot_learning.policies.gate import REASONS

Env = gymnasium.Env[Any, Any]
OWN_IDS = "robot_learning/"


@dataclass
class Clock:
    """Seconds spent so far in the environments and in the policies."""

    simulate_s: float = 0.0
    act_s: float = 0.0


def env_maker(
    env: str | Callable[[], Env], kwargs: Mapping[str, Any] | None = None
) -> Callable[[], Env]:
    """A function that makes environments: from a gymnasium id, or the given callable itself."""
    if callable(env):
        return env

    def make() -> Env:
        if env.startswith(OWN_IDS):
            from robot_learning.sim.registration import register_envs

            register_envs()
        with making(env):
            return gymnasium.make(env, disable_env_checker=True, **(kwargs or {}))

    return make


@contextmanager
def making(env: str) -> Iterator[None]:
    """Say which environment cannot be made, whatever it raises.

    Raises:
        ConfigurationError: something failed in the block; errors of this package stay as they are.
    """
    try:
        yield
    except RobotLearningError:
        raise
    except Exception as problem:
        raise ConfigurationError(f"--env {env}: cannot be made: {problem}") from problem


class EnvironmentPool:
    """Environments, each with an expert; made when they are first needed."""

    def __init__(
        self, make_env: Callable[[], Env], source: ExpertSource, count: int, max_steps: int = 0
    ) -> None:
        """Make the first environment.

        Args:
            make_env: makes an environment.
            source: makes the environment's expert.
            count: largest number of environments at a time; 1 if there is a single expert that
                keeps state.
            max_steps: number of steps after which an episode is truncated; 0 for the environment's
                own limit.

        Raises:
            RobotLearningError: environment or expert cannot be made, or its spaces cannot be used.
        """
        self._make_env, self._source = make_env, source
        self.envs: list[Env] = []
        self.experts: list[Expert] = []
        self.max_steps = max_steps
        self.count = 1 if source.serves_one else count
        self.ensure(1)
        self.observations = ObservationLayout(self.envs[0].observation_space)
        self.actions = ActionLayout(self.envs[0].action_space)
        self.labeller = Labeller(source.name, self.actions)
        self.clock = Clock()

    def ensure(self, count: int) -> None:
        """Make environments until there are at least `count`."""
        while len(self.envs) < count:
            env = self._make_env()
            self.envs.append(env)
            self.experts.append(self._source.make(env))

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()


def simulate(
    pool: EnvironmentPool,
    driver: Driver,
    headers: Sequence[EpisodeHeader],
    seeds: Sequence[int],
    *,
    label_budget: int | None = None,
    labels_per_episode: int = 0,
) -> list[Episode]:
    """Simulate episodes at the same time, one in each environment.

    Args:
        pool: environments, which are made as needed.
        driver: who drives, and which labels that gives.
        headers: what is known of each episode before it begins.
        seeds: seed of each episode's environment and of its expert's free choices.
        label_budget: number of labels at which all episodes are cut off; None for no limit.
        labels_per_episode: largest number of labels of an episode that count against the
            budget; 0 for all.

    Raises:
        ExpertError: the expert failed; none of these episodes is kept.
    """
    pool.ensure(len(headers))
    return _EpisodeBatch(pool, driver, headers, labels_per_episode).run(seeds, label_budget)


class _EpisodeBatch:
    """A batch of episodes. Arrays are N wide until the last ends; later rows are dropped."""

    def __init__(
        self, pool: EnvironmentPool, driver: Driver, headers: Sequence[EpisodeHeader], cap: int
    ) -> None:
        self._pool, self._driver, self._headers, self._cap = pool, driver, list(headers), cap
        count = len(headers)
        self._observations: list[Any] = [None] * count
        self._infos: list[Mapping[str, Any]] = [{}] * count
        self._rows: Float32Array = np.zeros((count, pool.observations.size), np.float32)
        self._active: BoolArray = np.ones(count, np.bool_)
        self._slots = list(range(count))
        self._lengths: IntArray = np.zeros(count, np.int64)
        self._labels: IntArray = np.zeros(count, np.int64)
        self._clipped: IntArray = np.zeros(count, np.int64)
        self._asked: IntArray = np.zeros(count, np.int64)
        self._calls: IntArray = np.zeros((count, len(REASONS)), np.int64)
        self._rewards = [0.0] * count
        self._success: list[bool | None] = [None] * count
        self._count = 0
        self._steps: list[tuple[Float32Array, Step]] = []
        self._labelled: list[BoolArray] = []

    def run(self, seeds: Sequence[int], budget: int | None) -> list[Episode]:
        pool = self._pool
        self._reset(seeds)
        while self._slots:
            step = self._decided()
            labelled, spent = self._counted(step.labelled, budget)
            self._steps.append((self._rows.copy(), step))
            self._labelled.append(labelled)
            if step.asked is not None:
                self._calls += step.asked
            self._execute(pool.actions.to_env(step.action[self._slots]))
            if spent:
                self._cut_off()
        return self._episodes()

    def _reset(self, seeds: Sequence[int]) -> None:
        pool = self._pool
        self._driver.begin([header.number for header in self._headers])
        begin = time.perf_counter()
        for slot, seed in enumerate(seeds):
            begin_episode(pool.experts[slot], seed)
            self._observations[slot], self._infos[slot] = reset_env(pool.envs[slot], seed)
        pool.clock.simulate_s += time.perf_counter() - begin
        pool.observations.write_all(self._observations, self._rows, self._slots)

    def _decided(self) -> Step:
        pool = self._pool
        begin, asked = time.perf_counter(), pool.labeller.seconds
        step = self._driver.step(self._rows, self._active.copy(), self._ask)
        labelling = pool.labeller.seconds - asked
        pool.clock.act_s += time.perf_counter() - begin - labelling
        return step

    def _ask(self, mask: BoolArray) -> Float32Array:
        pool = self._pool
        slots = self._slots if mask.all() else np.flatnonzero(mask).tolist()
        labels = np.full((len(mask), pool.actions.size), np.nan, np.float32)
        if slots:
            labels[slots], clipped = pool.labeller.labels(
                [pool.experts[slot] for slot in slots],
                [self._observations[slot] for slot in slots],
                [self._infos[slot] for slot in slots],
            )
            self._clipped[slots] += clipped
            self._asked[slots] += pool.actions.size
        return labels

    def _counted(self, labelled: BoolArray, budget: int | None) -> tuple[BoolArray, bool]:
        """(N,) whether a label counts, and whether the budget is spent with these labels."""
        if budget is None:
            return labelled, False
        counting = labelled & (self._labels < self._cap) if self._cap else labelled
        excess = self._count + int(np.count_nonzero(counting)) - budget
        if excess > 0:
            dropped = np.flatnonzero(counting)[-excess:]
            labelled, counting = labelled.copy(), counting.copy()
            labelled[dropped] = counting[dropped] = False
        self._labels += counting
        self._count += int(np.count_nonzero(counting))
        return labelled, self._count >= budget

    def _execute(self, actions: Sequence[Any]) -> None:
        pool = self._pool
        begin = time.perf_counter()
        results = [
            step_env(pool.envs[slot], action)
            for slot, action in zip(self._slots, actions, strict=True)
        ]
        pool.clock.simulate_s += time.perf_counter() - begin
        pool.observations.write_all([result[0] for result in results], self._rows, self._slots)
        is_last = len(self._steps) == pool.max_steps
        ended = []
        for slot, (observation, reward, terminated, truncated, info) in zip(
            self._slots, results, strict=True
        ):
            self._observations[slot], self._infos[slot] = observation, info
            self._rewards[slot] += reward
            if info and info.get("success"):
                self._success[slot] = True
            if terminated or truncated or is_last:
                ended.append(slot)
                self._end(slot, terminated)
        for slot in ended:
            self._slots.remove(slot)

    def _end(self, slot: int, terminated: bool, cut_off: bool = False) -> None:
        self._active[slot] = False
        self._lengths[slot] = len(self._steps)
        info = self._infos[slot]
        if "is_success" in info:
            self._success[slot] = bool(info["is_success"])
        elif "success" in info:
            self._success[slot] = bool(self._success[slot])
        self._headers[slot] = replace(
            self._headers[slot],
            reward=self._rewards[slot],
            success=self._success[slot],
            terminated=terminated,
            cut_off=cut_off,
            clipped=int(self._clipped[slot]),
            numbers=int(self._asked[slot]),
            asked_novelty=int(self._calls[slot, 0]),
            asked_risk=int(self._calls[slot, 1]),
        )

    def _cut_off(self) -> None:
        for slot in self._slots:
            self._end(slot, terminated=False, cut_off=True)
        self._slots = []

    def _episodes(self) -> list[Episode]:
        """The episodes: for each environment its recorded rows, up to the end of its episode."""
        steps = [step for _, step in self._steps]
        nothing = np.full(len(self._headers), np.nan)
        recorded = {
            "observation": np.array([rows for rows, _ in self._steps]),
            "label": np.array([step.label for step in steps]),
            "action": np.array([step.action for step in steps]),
            "labelled": np.array(self._labelled),
            "expert_drove": np.array([step.expert_drove for step in steps]),
            "disagreement": np.array(
                [nothing if step.disagreement is None else step.disagreement for step in steps],
                np.float32,
            ),
        }
        return [
            Episode(header, **{k: v[: self._lengths[slot], slot] for k, v in recorded.items()})
            for slot, header in enumerate(self._headers)
        ]
