"""Disagreement and discrepancy on states that were not trained on, by leaving out episodes.

Hoque et al., "ThriftyDAgger", CoRL 2021, https://arxiv.org/abs/2109.08273, takes the first
threshold of novelty from demonstrations that are held out at first and trained on afterwards. On
data that it has overfitted, an ensemble never disagrees and agrees with the expert exactly. The
discrepancy up to which it may continue alone, for which the paper takes the mean over the training
data, is therefore also taken from the episodes that were left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, Rows
from robot_learning.learning.imitation.fitting import fit, make_samples, new_policy
from robot_learning.learning.imitation.gates import ensemble_disagreement
from robot_learning.learning.imitation.inference import Actor, make_forward
from robot_learning.learning.imitation.spaces import ActionLayout, Leaf
from robot_learning.policies.spec import PolicySpec

_EVERY = 5


def unseen_figures(
    episodes: Sequence[Episode],
    config: ImitationConfig,
    spec: PolicySpec,
    *,
    leaves: Sequence[Leaf],
    actions: ActionLayout,
    seeds: Sequence[int],
) -> tuple[FloatArray, FloatArray]:
    """(N,) disagreements about the rows left out, and (K,) |policy - expert|^2 at their labels.

    Args:
        episodes: episodes with labels, at least two.
        config: how policies are fitted to the other episodes.
        spec: spec of the policies.
        leaves: columns of a row of observations.
        actions: layout of the action space.
        seeds: one seed for each member that is fitted; the disagreements of a single member are 0.
    """
    out = episodes[::_EVERY]
    rows = Rows.of(e for k, e in enumerate(episodes) if k % _EVERY)
    unseen = Rows.of(out)
    assert rows is not None and unseen is not None  # noqa: S101 (episodes with rows)
    samples = make_samples(rows, config)
    policies = [new_policy(samples, spec, config, leaves, seed) for seed in seeds]
    for policy, seed in zip(policies, seeds, strict=True):
        fit(policy, samples, config.fit, leaves, seed)
    forwards = [make_forward(p, leaves, actions, s) for p, s in zip(policies, seeds, strict=True)]
    disagreements = ensemble_disagreement(forwards, actions, config.first_action_index)
    actor = Actor(policies[0], forwards[0])
    chosen = np.concatenate([actor.at_every_row(episode.observation) for episode in out])
    error = actions.error(chosen[unseen.labelled], unseen.label[unseen.labelled])
    return disagreements(unseen.observation, unseen.action), error
