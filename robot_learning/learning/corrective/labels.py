"""Labels from dynamics: states beside the demonstrations, with an action that leads back.

BackTrack takes the action of a row and finds the state from which it leads to the state of that
row. DisturbedAction changes the action of a row and finds the state from which the changed action
leads to the successor of that row. Both solve

    s + f(s, a) = target

for s, from the backward Euler step s = target - f(s*, a), for all rows at once.

Ke et al., "CCIL: Continuity-based Data Augmentation for Corrective Imitation Learning", ICLR 2024,
https://arxiv.org/abs/2310.12972.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray, IntArray
from robot_learning.core.vocabulary import CorrectiveKind
from robot_learning.learning.corrective.scaling import Scaling
from robot_learning.learning.corrective.transitions import Transitions

_ITERATIONS = 20
# Of the state's standard deviations.
_TOLERANCE = 1e-8
_SINGULAR = 1e-12
# What bounds the memory of the Jacobians.
_CHUNK_ROWS = 4096


class Dynamics(Protocol):
    """What moves the state: s' = s + change(s, a), in the state's own units."""

    def change(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, D) changes of (N, D) states by (N, n) actions."""
        ...

    def state_jacobian(self, state: FloatArray, action: FloatArray) -> FloatArray:
        """(N, D, D) derivatives of the changes by the states."""
        ...


@dataclass(frozen=True)
class Labels:
    """M labels, or candidates for them.

    Attributes:
        row: (M,) number of the step that a label was made for.
        kind: (M,) `CorrectiveKind` of each.
        state: (M, D) state beside the demonstration.
        action: (M, n) executed action that leads back from there.
        label: (M, n) that action as the expert would give it, before limits.
        target: (M, D) state that the action is to lead to.
        solved: (M,) whether the state was found.
    """

    row: IntArray
    kind: IntArray
    state: FloatArray
    action: FloatArray
    label: FloatArray
    target: FloatArray
    solved: BoolArray

    def __len__(self) -> int:
        """Number of labels M."""
        return len(self.row)

    def chosen(self, numbers: IntArray) -> Labels:
        """Those with these numbers, in that order."""
        return Labels(**{name: getattr(self, name)[numbers] for name in self.__dataclass_fields__})

    @classmethod
    def joined(cls, several: list[Labels]) -> Labels:
        """Several one after another; at least one."""
        return cls(
            **{
                name: np.concatenate([getattr(labels, name) for labels in several])
                for name in cls.__dataclass_fields__
            }
        )


def backtrack(dynamics: Dynamics, transitions: Transitions, scaling: Scaling) -> Labels:
    """A BackTrack label for every step that labels are wanted for.

    Args:
        dynamics: learnt or known dynamics.
        transitions: N steps of demonstrations.
        scaling: normalised units, in which convergence is checked.
    """
    rows = np.flatnonzero(transitions.wanted)
    action, target = transitions.clean_action[rows], transitions.state[rows]
    state, solved = solve(dynamics, target, action, near=target, scaling=scaling)
    kind = np.full(len(rows), int(CorrectiveKind.BACKTRACK))
    return Labels(rows, kind, state, action, transitions.label[rows], target, solved)


def disturbed_action(
    dynamics: Dynamics,
    transitions: Transitions,
    scaling: Scaling,
    *,
    disturbance: float,
    per_row: int,
    seed: int,
) -> Labels:
    """DisturbedAction labels, up to `per_row` for every step that labels are wanted for.

    Args:
        dynamics: learnt or known dynamics.
        transitions: N steps of demonstrations.
        scaling: normalised units, in which actions are disturbed and convergence is checked.
        disturbance: standard deviation of the disturbance, in standard deviations of what in the
            actions does not follow from the state.
        per_row: number of labels for each step.
        seed: seed of the disturbances.
    """
    rows = np.repeat(np.flatnonzero(transitions.wanted), per_row)
    executed = transitions.action[rows]
    draws = np.random.default_rng(seed).standard_normal(executed.shape)
    moved = executed + disturbance * draws @ scaling.action_root.T
    action = np.clip(moved, transitions.action_low, transitions.action_high)
    # Without a change, as at a bound, it would be the demonstration itself.
    changed = np.flatnonzero((action != executed).any(axis=1))
    rows, action = rows[changed], action[changed]
    target = transitions.next_state[rows]
    state, solved = solve(dynamics, target, action, near=transitions.state[rows], scaling=scaling)
    label = transitions.label[rows] + action - transitions.clean_action[rows]
    kind = np.full(len(rows), int(CorrectiveKind.DISTURBED_ACTION))
    return Labels(rows, kind, state, action, label, target, solved)


def solve(
    dynamics: Dynamics,
    target: FloatArray,
    action: FloatArray,
    *,
    near: FloatArray,
    scaling: Scaling,
) -> tuple[FloatArray, BoolArray]:
    """States from which actions lead to targets, by Newton's method on all rows at once.

    Args:
        dynamics: learnt or known dynamics.
        target: (M, D) states to reach.
        action: (M, n) actions.
        near: (M, D) states at which the first, backward Euler step takes the dynamics.
        scaling: normalised units, in which convergence is checked.

    Returns:
        The (M, D) states, the target where none was found, and (M,) whether each was found.
    """
    states, found = [], []
    for begin in range(0, max(1, len(target)), _CHUNK_ROWS):
        rows = slice(begin, begin + _CHUNK_ROWS)
        # What diverges is given up, which needs no warning.
        with np.errstate(over="ignore", invalid="ignore"):
            state, solved = _solved(dynamics, target[rows], action[rows], near[rows], scaling)
        states.append(state)
        found.append(solved)
    return np.concatenate(states), np.concatenate(found)


def _solved(
    dynamics: Dynamics,
    target: FloatArray,
    action: FloatArray,
    near: FloatArray,
    scaling: Scaling,
) -> tuple[FloatArray, BoolArray]:
    state = target - dynamics.change(near, action)
    solved = np.zeros(len(state), np.bool_)
    left = np.arange(len(state))
    for _ in range(_ITERATIONS):
        miss = state[left] + dynamics.change(state[left], action[left]) - target[left]
        done = scaling.distance(miss) <= _TOLERANCE
        solved[left[done]] = True
        left, miss = left[~done], miss[~done]
        if not len(left):
            break
        slope = dynamics.state_jacobian(state[left], action[left]) + np.eye(state.shape[1])
        # In normalised units, so that small numbers of the state do not look singular.
        slope *= scaling.state_std / scaling.state_std[:, None]
        regular = np.abs(np.linalg.det(slope)) > _SINGULAR
        left, miss, slope = left[regular], miss[regular], slope[regular]
        step = np.linalg.solve(slope, (miss / scaling.state_std)[..., None])[..., 0]
        state[left] -= step * scaling.state_std
    return np.where(solved[:, None], state, target), solved
