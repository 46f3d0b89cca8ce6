"""The risk of ThriftyDAgger: a critic of states and actions, learnt from episodes' outcomes.

Hoque et al., CoRL 2021, https://arxiv.org/abs/2109.08273, section 4.2: risk is 1 - Q(x, u), with Q
the discounted probability of reaching the goal. Here Q is fitted to gamma^(steps to the goal), 0
where an episode failed. It is thus the value of whoever drove, while the paper bootstraps that of
the policy alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gymnasium import spaces

from robot_learning.core.types import FloatArray
from robot_learning.learning.imitation.config import FitConfig, ImitationConfig
from robot_learning.learning.imitation.data import Rows
from robot_learning.learning.imitation.drivers import StepMeasure
from robot_learning.learning.imitation.fitting import fit, make_samples, new_policy, policy_spec
from robot_learning.learning.imitation.inference import make_forward
from robot_learning.learning.imitation.spaces import (
    ActionLayout,
    Float32Array,
    ObservationLayout,
)
from robot_learning.policies.policy import Policy

DISCOUNT = 0.9999
"""Discount per step, as in the paper's code: a success has little risk from its first step on."""
# Not clipped to [0, 1], as a quantile cannot single out the worst of many equal values.
_VALUES = ActionLayout(spaces.Box(-np.inf, np.inf, (1,)))


def fit_critic(rows: Rows, config: FitConfig, actions: ActionLayout, seed: int) -> Policy | None:
    """Fit Q to episodes; None until both a success and a failure have been seen.

    The critic takes `obs/observation`, a state and the action taken there, (D + n,) as in
    `critic_input`.

    Args:
        rows: rows to learn from. Episodes that were cut off are ignored; those of unknown success
            count as failures.
        config: how the critic is fitted; interventions have no special weight.
        actions: layout of the action space.
        seed: seed of the weights and of the order of the data.
    """
    if len({bool(each.success) for each in rows.headers if not each.cut_off}) < 2:
        return None
    valued = _valued(rows, actions)
    layout = _layout(valued.observation.shape[1])
    plain = ImitationConfig(fit=replace(config, intervention_weight="none"))
    samples = make_samples(valued, plain)
    spec = policy_spec(plain, layout.leaves, _VALUES)
    critic = new_policy(samples, spec, plain, layout.leaves, seed)
    fit(critic, samples, plain.fit, layout.leaves, seed)
    return critic


def critic_risk(critic: Policy, actions: ActionLayout) -> StepMeasure:
    """The risk 1 - Q that an action, and what is done after it, does not reach the goal."""
    (column,) = critic.spec.observations
    forward = make_forward(critic, _layout(column.shape[0]).leaves, _VALUES)

    def risk(observations: Float32Array, chosen: Float32Array) -> FloatArray:
        pairs = critic_input(observations, chosen, actions)
        return 1.0 - np.asarray(forward(pairs[:, None])[:, 0, 0], np.float64)

    return risk


def critic_input(
    observations: Float32Array, chosen: Float32Array, actions: ActionLayout
) -> Float32Array:
    """(N, D + n) inputs of the critic.

    Args:
        observations: (N, D) states.
        chosen: (N, n) actions in the action's units, which are scaled here; discrete ones (N, 1)
            become one-hot vectors.
        actions: layout of the action space.
    """
    if actions.choices:
        features = np.eye(actions.choices, dtype=np.float32)[chosen[:, 0].astype(np.int64)]
    else:
        features = np.asarray(chosen / actions.scale, np.float32)
    return np.concatenate([observations, features], axis=1)


def _layout(size: int) -> ObservationLayout:
    return ObservationLayout(spaces.Box(-np.inf, np.inf, (size,)))


def _valued(rows: Rows, actions: ActionLayout) -> Rows:
    """The rows with states and actions as observations, and discounted success as labels."""
    # Monte Carlo return of a reward of 1 at the last step of a success: gamma^(steps to the end).
    to_go = rows.end - 1 - np.arange(len(rows))
    succeeded = np.array([bool(each.success) for each in rows.headers])[rows.episode]
    cut_off = np.array([each.cut_off for each in rows.headers])[rows.episode]
    value = np.where(succeeded, DISCOUNT**to_go, 0.0)
    return replace(
        rows,
        observation=critic_input(rows.observation, rows.action, actions),
        label=value.astype(np.float32)[:, None],
        labelled=~cut_off,
    )
