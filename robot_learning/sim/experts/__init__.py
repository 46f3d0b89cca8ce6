"""Scripted experts, one for each task, by the task's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.sim.experts.expert import Expert
from robot_learning.sim.experts.lift import LiftExpert

EXPERTS: Mapping[str, type[Expert]] = MappingProxyType({"lift": LiftExpert})


def make_expert(task: str, profile: RobotProfile, seed: int | None = None) -> Expert:
    """The expert for a task.

    Raises:
        ConfigurationError: no such task, or the robot cannot do it.
    """
    if task not in EXPERTS:
        raise ConfigurationError(unknown_choice("expert for task", task, EXPERTS))
    return EXPERTS[task](profile, seed)


__all__ = ["EXPERTS", "Expert", "make_expert"]
