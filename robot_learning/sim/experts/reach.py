"""Goes straight to the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from robot_learning.core.types import FloatArray
from robot_learning.sim.experts.expert import Expert, read_pose


class ReachExpert(Expert):
    """Expert of the task `reach`."""

    def _act(self, observation: Mapping[str, Any], action: FloatArray) -> None:
        motion = self.motions[0]
        motion.open(action)
        motion.move(action, read_pose(observation, "target")[:3], motion.home_closing_rad)
