"""Observations from a robot's messages: its joints by name, joined with poses of equal stamps.

A robot gives all that it measured together one stamp. A period that lost a message on its way is
left out; the next one comes a control period later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from robot_learning.core.errors import CommandError
from robot_learning.core.turns import TurnCounter
from robot_learning.core.types import Observation
from robot_learning.messages.joint_collector import JointCollector, JointSample
from robot_learning.messages.poses import pose_array
from robot_learning.messages.stamp_join import StampJoin
from robot_learning.messages.stamps import header_stamp_ns

JOINTS = "joints"
OnObservation = Callable[[Observation, int], None]
"""An observation without images, and when the last message of it was received."""


class ObservationJoin:
    """Takes the messages of one robot and calls back with each complete observation. One thread.

    Attributes:
        collector: collects the joints over messages that name only some of them.
    """

    def __init__(
        self,
        joint_names: Sequence[str],
        pose_names: Sequence[str],
        on_observation: OnObservation,
        *,
        turns: TurnCounter | None = None,
        on_dropped: Callable[[str], None] | None = None,
    ) -> None:
        """Begin empty.

        Args:
            joint_names: names of the robot's joints, in its profile's order.
            pose_names: the poses without which no observation is complete.
            on_observation: called with each observation.
            turns: counts the turns of the joints; None takes their angles as they come.
            on_dropped: called with what was missing when an incomplete observation is forgotten.
        """
        self.collector = JointCollector(joint_names)
        self._turns = turns
        self._on_observation = on_observation
        self._join = StampJoin([JOINTS, *pose_names], self._on_complete, on_dropped)

    def take_joints(self, message: Any, receive_ns: int) -> JointSample | None:
        """Take a JointState; the sample as it was reported, or None while joints are missing.

        Raises:
            CommandError: the message is ragged, names a joint twice, or has a position that is
                not finite.
        """
        sample = self.collector.collect(message, receive_ns)
        if sample is None:
            return None
        if not np.isfinite(sample.position).all():
            raise CommandError("a joint position is NaN or infinite")
        position = sample.position if self._turns is None else self._turns.take(sample.position)
        joints = (position, sample.velocity, sample.effort)
        self._join.add(JOINTS, sample.stamp_ns, receive_ns, joints)
        return sample

    def take_pose(self, name: str, message: Any, receive_ns: int) -> None:
        """Take the PoseStamped of the pose `name`.

        Args:
            name: name of the pose.
            message: the PoseStamped.
            receive_ns: steady time at which the message arrived.
        """
        self._join.add(name, header_stamp_ns(message), receive_ns, pose_array(message))

    def lack(self) -> str:
        """Why no observation was ever complete; empty where one was, or nothing was heard."""
        return self._join.lack()

    def _on_complete(self, stamp: int, receive_ns: int, parts: Mapping[str, Any]) -> None:
        poses = {name: part for name, part in parts.items() if name != JOINTS}
        position, velocity, effort = parts[JOINTS]
        self._on_observation(Observation(stamp, position, velocity, effort, poses), receive_ns)
