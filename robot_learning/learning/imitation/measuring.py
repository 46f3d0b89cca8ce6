"""How good a policy is: success, return and errors, over episodes simulated to measure them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from robot_learning.learning.evaluation.intervals import Z_95, wilson
from robot_learning.learning.imitation.data import Episode, EpisodeHeader
from robot_learning.learning.imitation.drivers import Driver
from robot_learning.learning.imitation.inference import Actor
from robot_learning.learning.imitation.rollout import EnvironmentPool, simulate
from robot_learning.learning.imitation.spaces import ActionLayout
from robot_learning.learning.runs.seeds import Seeds

# Episodes that only measure are numbered from here, away from those of a run.
MEASURED = 1_000_000
EVALUATION_STREAM, REFERENCE_STREAM = 4, 5


def measure(
    pool: EnvironmentPool, driver: Driver, count: int, seeds: Seeds, stream: int
) -> list[Episode]:
    """Simulate episodes whose initial states do not depend on the driver.

    Args:
        pool: environments to simulate in.
        driver: who drives.
        count: number of episodes.
        seeds: seeds of the run.
        stream: stream of the episodes' seeds, one for each purpose.
    """
    found: list[Episode] = []
    while len(found) < count:
        batch = range(len(found), min(count, len(found) + pool.count))
        headers = [EpisodeHeader(MEASURED + number, 0) for number in batch]
        found += simulate(pool, driver, headers, [seeds.of(stream, n) for n in batch])
    return found


def with_success(episodes: Sequence[Episode], success_return: float | None) -> list[Episode]:
    """The episodes with success by their return, where a threshold is given."""
    if success_return is None:
        return list(episodes)
    return [
        replace(e, header=replace(e.header, success=e.header.reward >= success_return))
        for e in episodes
    ]


def outcome_figures(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Success and return with their 95 % intervals, as fields of a `RoundResult`."""
    if not episodes:
        return {}
    rewards = np.array([episode.header.reward for episode in episodes])
    mean, spread = float(rewards.mean()), 0.0
    if len(rewards) > 1:
        spread = Z_95 * float(rewards.std(ddof=1)) / math.sqrt(len(rewards))
    figures = {"return_mean": mean, "return_low": mean - spread, "return_high": mean + spread}
    successes = [episode.header.success for episode in episodes]
    if any(success is None for success in successes):
        return figures
    share = wilson(sum(map(bool, successes)), len(successes))
    return {
        **figures,
        "success": share.share,
        "success_low": share.low,
        "success_high": share.high,
    }


def executed_error(episodes: Sequence[Episode], actions: ActionLayout) -> float | None:
    """E |executed - expert's|^2 over the rows of episodes that the policy drove."""
    errors = [actions.error(episode.action, episode.label) for episode in episodes]
    return float(np.concatenate(errors).mean()) if errors else None


def reference_error(
    episodes: Sequence[Episode], actor: Actor, actions: ActionLayout
) -> float | None:
    """E |policy - expert|^2 over the states of episodes that the expert drove.

    A policy that executes chunks computes a new one at every state.

    Args:
        episodes: episodes of the expert; None is returned without any.
        actor: the policy.
        actions: layout of the action space.
    """
    errors = [
        actions.error(actor.at_every_row(episode.observation), episode.label)
        for episode in episodes
    ]
    return float(np.concatenate(errors).mean()) if errors else None
