"""Figures of an iteration, and what is refused in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from robot_learning.learning.reinforcement.episodes import Episode
from robot_learning.learning.training.errors import DivergedError
from robot_learning.learning.training.perceptron import Array


def episode_figures(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Mean return, length and success of episodes, as fields of an `IterationResult`."""
    return outcome_figures(
        [episode.total for episode in episodes],
        [len(episode) for episode in episodes],
        [episode.success for episode in episodes],
    )


def outcome_figures(
    returns: Sequence[float], lengths: Sequence[int], success: Sequence[float]
) -> dict[str, Any]:
    """The same of episodes of which only that is known; empty without any.

    Args:
        returns: return of each episode, NaN where the environment gives no rewards.
        lengths: number of steps of each.
        success: 1 for a success, 0 for none, NaN where the environment does not say.
    """
    if not returns:
        return {}
    figures = {"return_mean": returns, "length_mean": lengths, "success": success}
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    return {name: value for name, value in means.items() if not math.isnan(value)}


def explained_variance(values: Array, returns: Array) -> float | None:
    """1 - Var(R - V) / Var(R); None where all returns are equal."""
    variance = float(np.var(returns))
    return None if variance < 1e-12 else 1.0 - float(np.var(returns - values)) / variance


def refuse_bad_loss(figures: Mapping[str, float], setting: str) -> None:
    """Refuse figures that are not finite, before anything of them is saved.

    Args:
        figures: figures of an iteration, by name.
        setting: name of the setting of the learning rate.

    Raises:
        DivergedError: one is NaN or infinite; the text names it.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise DivergedError(
                f"{name} is {value}, and a resumed run would meet it again: start one in another "
                f"folder with a smaller learning rate (--set {setting})"
            )
