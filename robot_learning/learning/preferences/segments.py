"""Segments: stretches of behaviour that are ranked against each other, all equally long.

A sum of rewards over segments of unequal length would reward the length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import Positive
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.learning.preferences.columns import Columns, Float32Array
from robot_learning.learning.runs.archive import (
    Arrays,
    damage_told,
    load_archive,
    refuse_other_shapes,
    save_archive,
)

SEGMENTS_NAME = "segments.npz"
_VERSION = 1
_FEWEST = 2


@dataclass(frozen=True)
class Played:
    """An episode that segments are cut from.

    Attributes:
        observations: (L, D) observations that were acted on.
        actions: (L, n) actions that were executed.
        rewards: (L,) rewards of the environment; NaN where there are none.
        seed: seed of the environment's reset; 0 for a recording.
        name: name of the recording; empty for a rollout.
    """

    observations: Float32Array
    actions: Float32Array
    rewards: FloatArray
    seed: int = 0
    name: str = ""


@dataclass(frozen=True)
class Origins:
    """Where segments were cut out, so that they can be shown.

    Attributes:
        episode: (N,) number of each segment's episode.
        first: (N,) step of the episode in which the segment begins.
        seeds: (E,) seed of each episode's reset.
        names: (E) name of each recording; empty for rollouts.
        actions: (E) actions (L, n) of each episode, from its beginning to its end.
    """

    episode: IntArray
    first: IntArray
    seeds: IntArray
    names: tuple[str, ...]
    actions: tuple[Float32Array, ...]


@dataclass(frozen=True)
class Scene:
    """What the segments are from.

    Attributes:
        env: id of the gymnasium environment; empty for a dataset.
        arguments: arguments of the environment.
        dataset: folder of the dataset; empty for an environment.
        rate_hz: steps per second.
    """

    env: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""
    rate_hz: Positive = 1.0

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "env": self.env,
            "arguments": dict(self.arguments),
            "dataset": self.dataset,
            "rate_hz": self.rate_hz,
        }


@dataclass(frozen=True)
class Segments:
    """N segments of T steps, named by their numbers.

    Attributes:
        observations: (N, T, D) observations.
        actions: (N, T, n) actions.
        rewards: (N, T) rewards of the environment; NaN where there are none.
        columns: what the columns are.
        scene: what the segments are from.
        origins: where they were cut out.
    """

    observations: Float32Array
    actions: Float32Array
    rewards: FloatArray
    columns: Columns
    scene: Scene
    origins: Origins

    def __len__(self) -> int:
        """Number of segments N."""
        return len(self.observations)

    @property
    def length(self) -> int:
        """Number of steps T of each."""
        return int(self.observations.shape[1])

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names that rankings use."""
        return tuple(map(str, range(len(self))))

    def returns(self) -> FloatArray:
        """(N,) sums of the environment's rewards.

        Raises:
            ConfigurationError: there are none, or some are not finite.
        """
        if np.isnan(self.rewards).all():
            raise ConfigurationError(
                "the segments have no rewards, by which a script could rank them; rank them by "
                "hand, or collect in an environment that gives rewards"
            )
        bad = ~np.isfinite(self.rewards).all(axis=1)
        if bad.any():
            raise ConfigurationError(
                f"{amount(int(bad.sum()), 'segment has a reward', 'segments have rewards')} that "
                f"is not finite, the first is {int(np.argmax(bad))}; no return can be compared"
            )
        total: FloatArray = self.rewards.sum(axis=1)
        return total


def cut_segments(
    episodes: Sequence[Played], length: int, per_episode: int, columns: Columns, scene: Scene
) -> Segments:
    """Cut segments out of episodes, evenly spread from the beginning to the end of each.

    Episodes that are shorter than a segment are left out: segments of unequal length cannot be
    compared.

    Args:
        episodes: episodes.
        length: number of steps T of a segment.
        per_episode: largest number of segments of an episode; they do not overlap.
        columns: what the columns are.
        scene: what the episodes are from.

    Raises:
        ConfigurationError: fewer than two segments are left, or a number is not finite.
    """
    long_enough = [episode for episode in episodes if len(episode.actions) >= length]
    places: list[tuple[int, int]] = []
    for number, episode in enumerate(long_enough):
        steps = len(episode.actions)
        count = max(1, min(per_episode, steps // length))
        starts = np.linspace(0, steps - length, count).round().astype(int)
        places += [(number, first) for first in starts.tolist()]
    if len(places) < _FEWEST:
        longest = max((len(episode.actions) for episode in episodes), default=0)
        raise ConfigurationError(
            f"{amount(len(places), 'segment')} of {amount(length, 'step')} in "
            f"{amount(len(episodes), 'episode')}, of which the longest has "
            f"{amount(longest, 'step')}: segments are equally long, and a ranking needs "
            f"{_FEWEST}; give a smaller --length"
        )
    found = Segments(
        np.stack([long_enough[n].observations[f : f + length] for n, f in places]),
        np.stack([long_enough[n].actions[f : f + length] for n, f in places]),
        np.stack([long_enough[n].rewards[f : f + length] for n, f in places]),
        columns,
        scene,
        Origins(
            np.array([number for number, _ in places]),
            np.array([first for _, first in places]),
            np.array([episode.seed for episode in long_enough]),
            tuple(episode.name for episode in long_enough),
            tuple(episode.actions for episode in long_enough),
        ),
    )
    _refuse_bad_numbers(found)
    return found


def save_segments(folder: Path, segments: Segments) -> None:
    """Write the segments of a folder.

    Raises:
        OSError: the file cannot be written; what was there before stays.
    """
    origins = segments.origins
    facts = {
        "columns": segments.columns.to_plain(),
        "scene": segments.scene.to_plain(),
        "names": list(origins.names),
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        "observations": segments.observations,
        "actions": segments.actions,
        "rewards": segments.rewards,
        "episode": origins.episode,
        "first": origins.first,
        "seeds": origins.seeds,
        "lengths": np.array([len(actions) for actions in origins.actions]),
        "played": np.concatenate(origins.actions),
    }
    save_archive(folder / SEGMENTS_NAME, facts, arrays, _VERSION)


def load_segments(folder: Path) -> Segments:
    """The segments of a folder.

    Raises:
        ConfigurationError: there are none, they are of unequal length, or the file is damaged.
    """
    path = folder / SEGMENTS_NAME
    remedy = f"collect some: robot-learning prefer collect {folder} --env ID"
    facts, arrays = load_archive(path, "segments", _VERSION, remedy)
    with damage_told(path):
        columns = Columns.from_plain(facts["columns"])
        names = decode(facts["names"], tuple[str, ...], key="names")
        scene = decode(facts["scene"], Scene, key="scene")
        _refuse_bad_arrays(arrays, columns, len(names))
        played = np.split(arrays["played"], np.cumsum(arrays["lengths"])[:-1])
        found = Segments(
            arrays["observations"],
            arrays["actions"],
            arrays["rewards"],
            columns,
            scene,
            Origins(arrays["episode"], arrays["first"], arrays["seeds"], names, tuple(played)),
        )
    _refuse_bad_numbers(found)
    return found


def _refuse_bad_arrays(arrays: Arrays, columns: Columns, episodes: int) -> None:
    rewards, played = arrays["rewards"], arrays["played"]
    count, length = rewards.shape if rewards.ndim == 2 else (-1, -1)
    floats = {
        "rewards": (count, length),
        "observations": (count, length, sum(columns.observed.values())),
        "actions": (count, length, columns.action),
        "played": (len(played), columns.action),
    }
    whole = {"episode": (count,), "first": (count,), "seeds": (episodes,), "lengths": (episodes,)}
    reason = "segments are equally long, with the columns and episodes that the file states"
    refuse_other_shapes(arrays, "f", floats, reason)
    refuse_other_shapes(arrays, "iu", whole, reason)
    lengths, episode, first = arrays["lengths"], arrays["episode"], arrays["first"]
    if (lengths < 1).any() or lengths.sum() != len(played) or not np.isfinite(played).all():
        raise ConfigurationError("played are not finite actions of episodes of these lengths")
    if (episode < 0).any() or (episode >= episodes).any():
        raise ConfigurationError(f"episode has numbers beyond the {amount(episodes, 'episode')}")
    if (first < 0).any() or (first + length > lengths[episode]).any():
        raise ConfigurationError("first has steps at which no whole segment is left in its episode")
    if (arrays["seeds"] < 0).any():
        raise ConfigurationError("seeds has numbers below 0")


def _refuse_bad_numbers(found: Segments) -> None:
    for name in ("observations", "actions"):
        bad = ~np.isfinite(getattr(found, name)).all(axis=(1, 2))
        if bad.any():
            raise ConfigurationError(
                f"the {name} of segment {int(np.argmax(bad))} are not finite numbers"
            )
    if np.isinf(found.rewards).any():
        bad = np.isinf(found.rewards).any(axis=1)
        raise ConfigurationError(f"a reward of segment {int(np.argmax(bad))} is infinite")
