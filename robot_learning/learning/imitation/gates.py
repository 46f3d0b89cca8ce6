"""What a robot-gated policy goes by: the doubt of an ensemble, a learned risk, and thresholds.

Menda, Driggs-Campbell, Kochenderfer, "EnsembleDAgger", IROS 2019,
https://arxiv.org/abs/1807.08364: doubt. Hoque et al., "ThriftyDAgger", CoRL 2021,
https://arxiv.org/abs/2109.08273: novelty and risk, thresholds as quantiles.

The risk here is 1 - Q with Q(x, u) fitted to gamma^(steps to the goal), 0 where an episode failed:
the discounted probability of success of those who drove, where the paper bootstraps that of the
policy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from gymnasium import spaces

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.learning.dagger import budget_threshold
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.data import Episode, Rows
from robot_learning.learning.imitation.drivers import Doubt, Thresholds
from robot_learning.learning.imitation.fitting import (
    fit,
    make_samples,
    new_policy,
    policy_spec,
)
from robot_learning.learning.imitation.inference import Forward, make_forward
from robot_learning.learning.imitation.spaces import (
    ActionLayout,
    Float32Array,
    ObservationLayout,
)

_DISCOUNT = 0.99
_FEWEST_ROWS = 100


def ensemble_doubt(members: Sequence[Forward], actions: ActionLayout, index: int) -> Doubt:
    """How much an ensemble disagrees about a state, whatever action is taken there.

    The norm of the members' variances, scaled (HG-DAgger: of the covariance's diagonal); of
    discrete actions, the share of members that do not choose what the first one does.

    Args:
        members: of the ensemble.
        actions: the action space.
        index: in the chunk, of the action for the current observation.
    """

    def doubt(observations: Float32Array, _: Float32Array) -> FloatArray:
        answers = np.array([member(observations[:, None])[:, index] for member in members])
        if actions.choices:
            return np.asarray((answers[..., 0] != answers[0, :, 0]).mean(axis=0), np.float64)
        variance = np.var(answers.astype(np.float64) / actions.scale, axis=0)
        return np.asarray(np.linalg.norm(variance, axis=-1))

    return doubt


def fit_risk(
    episodes: Sequence[Episode], config: ImitationConfig, actions: ActionLayout, seed: int
) -> Doubt:
    """1 - Q: the risk that an action, and what is done after it, does not reach the goal.

    Raises:
        ConfigurationError: nothing says whether the episodes succeeded.
    """
    if any(episode.facts.success is None for episode in episodes if not episode.facts.cut_off):
        raise ConfigurationError(
            "gate.kind thrifty needs to know which episodes succeeded: let `info` say is_success, "
            "or give evaluation.success_return; or use gate.kind ensemble"
        )
    valued = [_valued(episode, actions) for episode in episodes if not episode.facts.cut_off]
    rows = Rows.of(valued)
    assert rows is not None  # noqa: S101 (episodes have rows)
    layout = ObservationLayout(spaces.Box(-np.inf, np.inf, (rows.observation.shape[1],)))
    values = ActionLayout(spaces.Box(0.0, 1.0, (1,)))
    plain = ImitationConfig(fit=replace(config.fit, intervention_weight="none"))
    samples = make_samples(rows, plain)
    spec = policy_spec(plain, layout.leaves, values)
    critic = new_policy(samples, spec, plain, layout.leaves, seed)
    fit(critic, samples, plain.fit, layout.leaves, seed)
    forward = make_forward(critic, layout.leaves, values)

    def risk(observations: Float32Array, chosen: Float32Array) -> FloatArray:
        pairs = np.concatenate([observations, _features(chosen, actions)], axis=1)
        return 1.0 - np.asarray(forward(pairs[:, None])[:, 0, 0], np.float64)

    return risk


def thresholds(
    rows: Rows,
    policy_actions: Float32Array,
    actions: ActionLayout,
    *,
    doubt: Doubt,
    risk: Doubt | None,
    rate: float,
) -> Thresholds:
    """Such that a share `rate` of the steps asks for help because of doubt, and of risk.

    Args:
        rows: collected so far; those that the policy drove are taken where there are enough.
        policy_actions: (N, n) of the present policy on them.
        actions: the action space.
        doubt: of the present ensemble.
        risk: or None.
        rate: of the steps.
    """
    driven = ~rows.expert_drove
    if np.count_nonzero(driven) < _FEWEST_ROWS:
        driven = np.ones(len(rows), np.bool_)
    observed, chosen = rows.observation[driven], policy_actions[driven]
    labelled = rows.labelled
    discrepancy = actions.error(policy_actions[labelled], rows.label[labelled])
    return Thresholds(
        doubt=budget_threshold(doubt(observed, chosen), rate),
        risk=budget_threshold(risk(observed, chosen), rate) if risk else float("inf"),
        discrepancy=float(np.mean(discrepancy)) if discrepancy.size else 0.0,
    )


def _valued(episode: Episode, actions: ActionLayout) -> Episode:
    """With states and actions as observations, and discounted success as what to predict."""
    to_go = np.arange(episode.rows - 1, -1, -1)
    value = _DISCOUNT**to_go if episode.facts.success else np.zeros(episode.rows)
    pairs = [episode.observation, _features(episode.action, actions)]
    everything = np.ones(episode.rows, np.bool_)
    return Episode(
        episode.facts,
        observation=np.concatenate(pairs, axis=1),
        label=value.astype(np.float32)[:, None],
        action=episode.action,
        labelled=everything,
        expert_drove=everything,
        doubt=episode.doubt,
    )


def _features(chosen: Float32Array, actions: ActionLayout) -> Float32Array:
    """(N, n) scaled, or (N, choices) one-hot."""
    if actions.choices:
        return np.eye(actions.choices, dtype=np.float32)[chosen[:, 0].astype(np.int64)]
    return np.asarray(chosen / actions.scale, np.float32)
