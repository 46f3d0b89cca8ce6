"""How well an actor does without noise, on seeds that nobody trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from robot_learning.learning.evaluation.intervals import Z_95
from robot_learning.learning.imitation.spaces import Float32Array
from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.episodes import Episode, play
from robot_learning.learning.reinforcement.figures import episode_figures
from robot_learning.learning.reinforcement.state import Final
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.training.perceptron import Array


def play_greedily(
    networks: ActorCritic,
    scaling: Scaling,
    stepper: Stepper,
    count: int,
    seed_of: Callable[[int], int],
) -> list[Episode]:
    """Play episodes with the most probable actions.

    Args:
        networks: networks, of which the actor acts.
        scaling: scaling of observations and actions.
        stepper: environments.
        count: number of episodes.
        seed_of: gives the seed of an episode's environment, by its number.
    """

    def choose(rows: Float32Array, _: Sequence[int]) -> tuple[Array, Float32Array]:
        drawn = networks.distribution.mode(networks.actor.forward(scaling.inputs(rows)))
        return drawn, scaling.actions(drawn)

    return play(stepper, choose, range(count), seed_of)


def final_figures(episodes: Sequence[Episode]) -> Final:
    """Mean return with its 95 % interval, and success."""
    returns = np.array([episode.total for episode in episodes])
    mean, half = float(returns.mean()), 0.0
    if len(returns) > 1:
        half = Z_95 * float(returns.std(ddof=1)) / math.sqrt(len(returns))
    success = episode_figures(episodes).get("success")
    return Final(mean, mean - half, mean + half, success, len(episodes))
