"""The turns of joint angles in files that hold rows without times (see `core.turns`).

Their drivers report angles within (-pi, pi], or count from another turn than the robot's limits.
Bags come through the recorder's streams, which count turns; these rows come whole, so that a whole
episode is looked at. Of a robot without a profile nothing is known, and its angles stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.amounts import amount
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TURN_RAD, UNCLEAR_RAD, TurnRules
from robot_learning.core.types import FloatArray
from robot_learning.episodes.imports.nominal import NominalEpisode

_MEASURED = tuple(
    f"obs/{name}"
    for name in ("joint_position", "joint_positions", "joint_pos", "qpos", "robot0_joint_pos")
)
"""Columns of measured joints under the names that tools give them, the best known first."""
_COMMANDS = (
    "actions",
    *(f"control/{name}" for name in ("human", "policy", "requested", "applied")),
)
_STATES = "states"


class JointTurns:
    """Brings the angles of one robot's episodes into its turns, and keeps count of what it did."""

    def __init__(self, profile: RobotProfile | None) -> None:
        """Without a profile everything stays as it is."""
        self._rules = None if profile is None else _rules_of(profile)
        self._moved: dict[str, int] = {}
        self._unclear: list[str] = []

    def applied(self, episode: NominalEpisode, item: str) -> NominalEpisode:
        """The episode with joints continuous and within their limits, actions in the same turns.

        Grippers, joints that slide, and what cannot be radians are left alone; so are actions
        that do not follow the measured joints, as those that are differences.

        Args:
            episode: episode as it was read.
            item: name of the episode, for people.
        """
        if self._rules is None:
            return episode
        size = len(self._rules.names)
        joints = {path: rows for path, rows in episode.arrays.items() if _is_joints(rows, size)}
        measured = [path for path in _MEASURED if path in joints]
        if not measured:
            return episode
        rules = _angles_alone(self._rules, joints[measured[0]])
        found: dict[str, npt.NDArray[Any]] = {}
        for path in measured:
            found[path], problem = rules.rows_inside(joints[path])
            if problem:
                self._unclear.append(f"{item}: '{path}': {problem}")
        reference = found[measured[0]]
        for path in _COMMANDS:
            if path in joints:
                found[path] = _commands_beside(rules, joints[path], reference)
        states = episode.arrays.get(_STATES)
        if states is not None and _repeats(states, joints[measured[0]]):
            found[_STATES] = np.concatenate([reference, states[:, size:]], axis=1)
        self._count(rules, joints, found)
        return replace(episode, arrays={**episode.arrays, **found})

    def notes(self) -> list[str]:
        """What was moved, and of which joints the turn cannot be known."""
        moved = [f"{name} in {amount(n, 'episode')}" for name, n in self._moved.items()]
        told = "angles were moved by whole turns, to go on from row to row within the limits"
        return [*([f"{told}: {', '.join(moved)}"] if moved else []), *self._unclear]

    def _count(
        self,
        rules: TurnRules,
        before: Mapping[str, npt.NDArray[Any]],
        after: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        changed = np.zeros(len(rules.names), bool)
        for path in before.keys() & after.keys():
            changed |= (np.abs(after[path] - before[path]) > UNCLEAR_RAD).any(axis=0)
        for index in np.flatnonzero(changed):
            name = rules.names[index]
            self._moved[name] = self._moved.get(name, 0) + 1


def _rules_of(profile: RobotProfile) -> TurnRules:
    """The robot's, without its grippers: files hold them in percent, or from 0 to 1."""
    rules = TurnRules.of(profile)
    grippers = {arm.gripper.joint for arm in profile.arms if arm.gripper is not None}
    return _only(rules, np.array([name not in grippers for name in rules.names]))


def _only(rules: TurnRules, which: npt.NDArray[np.bool_]) -> TurnRules:
    return replace(rules, turning=rules.turning & which, continuous=rules.continuous & which)


def _angles_alone(rules: TurnRules, rows: FloatArray) -> TurnRules:
    """The rules of those joints that lie within a turn of their limits: others are no radians."""
    reach = TURN_RAD + rules.slack
    within = (rows >= rules.low - reach) & (rows <= rules.high + reach)
    angles: npt.NDArray[np.bool_] = (within | np.isnan(rows)).min(axis=0)
    return _only(rules, angles)


def _commands_beside(rules: TurnRules, commands: FloatArray, measured: FloatArray) -> FloatArray:
    """(k, n) commands in the turns of the measured joints, where they mostly are close to them."""
    near = rules.following(commands, measured)
    apart = np.abs(near - measured)
    follow = np.zeros(len(rules.names), bool)
    for index, gaps in enumerate(apart.T):
        known = gaps[np.isfinite(gaps)]
        follow[index] = bool(known.size) and float(np.median(known)) <= UNCLEAR_RAD
    return np.where(follow, near, commands)


def _is_joints(rows: npt.NDArray[Any], size: int) -> bool:
    return rows.dtype.kind == "f" and rows.shape[1:] == (size,)


def _repeats(states: npt.NDArray[Any], joints: FloatArray) -> bool:
    """Whether states begin with the joints, as this package writes them."""
    size = joints.shape[1]
    return states.ndim == 2 and np.array_equal(states[:, :size], joints, equal_nan=True)
