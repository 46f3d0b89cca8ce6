"""Normalised units: states and actions in standard deviations of the demonstrations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.learning.corrective.transitions import Transitions

# What varies by less, relative to its size, counts as constant.
_LEAST = 1e-6
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Scaling:
    """Means and standard deviations; constant numbers are left out of the normalised units.

    Attributes:
        state_mean: (D,) mean of each number of the state.
        state_std: (D,) standard deviation of each number of the state; 1 of constant ones.
        state_varies: (D,) whether a number of the state varies.
        action_mean: (n,) mean of each action.
        action_std: (n,) standard deviation of each action; 1 of constant ones.
        action_varies: (n,) whether an action varies.
        action_root: (n, n) root of the covariance of what does not follow, by an affine map, from
            the state in the actions.
        change_mean: (D,) mean change of the state in a step.
        change_std: (D,) standard deviation of that change; 1 where it does not vary.
    """

    state_mean: FloatArray
    state_std: FloatArray
    state_varies: BoolArray
    action_mean: FloatArray
    action_std: FloatArray
    action_varies: BoolArray
    action_root: FloatArray
    change_mean: FloatArray
    change_std: FloatArray

    @classmethod
    def of(cls, transitions: Transitions) -> Scaling:
        """The scaling of demonstrations.

        Raises:
            ConfigurationError: the state never varies.
        """
        states = np.concatenate([transitions.state, transitions.next_state])
        state_mean, state_std, state_varies = _statistics(states)
        action_mean, action_std, action_varies = _statistics(transitions.action)
        change = transitions.next_state - transitions.state
        if not state_varies.any():
            raise ConfigurationError("the state never varies: there is nothing to correct")
        spread = change.std(axis=0)
        moves = spread > 1e-3 * _LEAST * np.where(state_varies, state_std, np.inf)
        return cls(
            state_mean=state_mean,
            state_std=state_std,
            state_varies=state_varies,
            action_mean=action_mean,
            action_std=action_std,
            action_varies=action_varies,
            action_root=_action_root(transitions, (state_mean, state_std), state_varies),
            change_mean=np.where(state_varies, change.mean(axis=0), 0.0),
            change_std=np.where(moves, spread, 1.0),
        )

    @property
    def input_std(self) -> FloatArray:
        """(I,) standard deviations of what varies of state and action, in that order."""
        return np.concatenate(
            [self.state_std[self.state_varies], self.action_std[self.action_varies]]
        )

    def inputs(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, I) what varies of (N, D) states and (N, n) actions, normalised."""
        states = (state - self.state_mean) / self.state_std
        actions = (action - self.action_mean) / self.action_std
        return np.concatenate(
            [states[:, self.state_varies], actions[:, self.action_varies]], axis=1
        )

    def changes(self, state: FloatArray, next_state: FloatArray) -> FloatArray:
        """(N, V) normalised changes of what varies of the state."""
        normalised = (next_state - state - self.change_mean) / self.change_std
        return np.asarray(normalised[:, self.state_varies])

    def distance(self, offset: FloatArray) -> FloatArray:
        """(N,) lengths of (N, D) differences of states, in standard deviations of the state."""
        return np.asarray(np.linalg.norm((offset / self.state_std)[:, self.state_varies], axis=1))


def _action_root(
    transitions: Transitions, scale: tuple[FloatArray, FloatArray], varies: BoolArray
) -> FloatArray:
    states = ((transitions.state - scale[0]) / scale[1])[:, varies]
    known = np.concatenate([states, np.ones((len(states), 1))], axis=1)
    actions = transitions.action - transitions.action.mean(axis=0)
    rest = actions - known @ np.linalg.lstsq(known, actions, rcond=_LEAST)[0]
    covariance = rest.T @ rest / max(1, len(rest) - known.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    # Rounding errors are no variation.
    values[values <= _ROUNDING * np.square(actions).mean()] = 0.0
    return np.asarray(vectors * np.sqrt(values))


def _statistics(values: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    mean, std = values.mean(axis=0), values.std(axis=0)
    varies = std > _LEAST * np.maximum(1.0, np.abs(mean))
    return mean, np.where(varies, std, 1.0), varies
