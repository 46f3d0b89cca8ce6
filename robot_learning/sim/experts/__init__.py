"""Scripted experts, one for each task, by the task's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.sim.experts.expert import Expert
from robot_learning.sim.experts.handover import HandoverExpert
from robot_learning.sim.experts.insertion import InsertionExpert
from robot_learning.sim.experts.lift import LiftExpert
from robot_learning.sim.experts.obstacle import ObstacleExpert
from robot_learning.sim.experts.push import PushExpert
from robot_learning.sim.experts.reach import ReachExpert

EXPERTS: Mapping[str, type[Expert]] = MappingProxyType(
    {
        "reach": ReachExpert,
        "lift": LiftExpert,
        "push": PushExpert,
        "insertion": InsertionExpert,
        "obstacle": ObstacleExpert,
        "handover": HandoverExpert,
    }
)


def make_expert(task: str, profile: RobotProfile, seed: int | None = None) -> Expert:
    """The expert for a task.

    Args:
        task: name of the task.
        profile: the robot.
        seed: seed of the expert's own randomness; None for a fresh one.

    Raises:
        ConfigurationError: no such task, or the robot cannot do it.
    """
    if task not in EXPERTS:
        raise ConfigurationError(unknown_choice("expert for task", task, EXPERTS))
    return EXPERTS[task](profile, seed)


__all__ = ["EXPERTS", "Expert", "make_expert"]
