"""Corrective labels beside the rows that an expert demonstrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import IntArray
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.corrective.correction import correct
from robot_learning.learning.corrective.dynamics import Progress
from robot_learning.learning.corrective.labels import Labels
from robot_learning.learning.corrective.transitions import Transitions
from robot_learning.learning.imitation.data import Rows
from robot_learning.learning.imitation.spaces import ActionLayout, Leaf

# Of a run's seed and the settings' own, so that either changes the labels.
_SEEDS = 2**32


def check_spaces(leaves: Sequence[Leaf], actions: ActionLayout) -> None:
    """Refuse spaces in which a state or an action has nothing beside it.

    Raises:
        ConfigurationError: actions or observations are choices; the text says which.
    """
    if actions.choices:
        raise ConfigurationError(
            f"ccil: {actions.space} has discrete actions, and there is no action beside another"
        )
    choices = [leaf.spec.key for leaf in leaves if leaf.one_hot_start is not None]
    if choices:
        raise ConfigurationError(
            f"ccil: {', '.join(choices)} of the observation is a choice, and there is no state "
            "beside another"
        )


def with_corrective(
    rows: Rows,
    config: CorrectiveConfig,
    actions: ActionLayout,
    seed: int,
    *,
    progress: Progress | None = None,
) -> Rows:
    """The rows, followed by corrective labels, each of which is an episode of its own.

    Args:
        rows: demonstrations; dynamics are learnt from all of them, and labels are made for those
            whose own label counts.
        config: settings of the labels.
        actions: layout of the action space, whose bounds the labels keep.
        seed: seed of this round, to which that of the settings is added.
        progress: called with the gradient steps of the dynamics that are made, and those in all;
            None for nothing.

    Raises:
        ConfigurationError: there are too few rows, or the state never varies.
    """
    begin = np.flatnonzero(rows.end > np.arange(len(rows)) + 1)
    label = np.where(np.isnan(rows.label[begin]), rows.action[begin], rows.label[begin])
    wanted = rows.labelled[begin] & ~np.isnan(rows.label[begin]).any(axis=1)
    transitions = Transitions.of(
        rows.observation[begin],
        rows.action[begin],
        rows.observation[begin + 1],
        label=label,
        noise=rows.action[begin] - label,
        episode=rows.begin[begin],
        action_range=(actions.low, actions.high),
        wanted=wanted,
    )
    seeded = replace(config, seed=(config.seed + seed) % _SEEDS)
    return _appended(rows, begin, correct(transitions, seeded, progress).labels, actions)


def _appended(rows: Rows, begin: IntArray, labels: Labels, actions: ActionLayout) -> Rows:
    count, number = len(labels), len(rows) + np.arange(len(labels))
    label = actions.clipped(labels.label)
    added = {
        "observation": labels.state.astype(np.float32),
        "label": label,
        "action": label,
        "labelled": np.ones(count, np.bool_),
        "expert_drove": np.zeros(count, np.bool_),
        "disagreement": np.full(count, np.nan, np.float32),
        "round": rows.round[begin[labels.row]],
        "first": np.ones(count, np.bool_),
        "begin": number,
        "end": number + 1,
    }
    columns = {k: np.concatenate([getattr(rows, k), v]) for k, v in added.items()}
    return replace(rows, headers=(), **columns)
