"""The tasks that ship with the package, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.sim.task import Task
from robot_learning.sim.tasks.handover import Handover
from robot_learning.sim.tasks.insertion import Insertion
from robot_learning.sim.tasks.lift import Lift
from robot_learning.sim.tasks.obstacle import Obstacle
from robot_learning.sim.tasks.push import Push
from robot_learning.sim.tasks.reach import Reach

TASKS: Mapping[str, Callable[[], Task]] = MappingProxyType(
    {
        "reach": Reach,
        "lift": Lift,
        "push": Push,
        "insertion": Insertion,
        "obstacle": Obstacle,
        "handover": Handover,
    }
)


def make_task(name: str) -> Task:
    """The task of that name, with its standard configuration.

    Raises:
        ConfigurationError: there is none; the text lists those there are.
    """
    if name not in TASKS:
        raise ConfigurationError(unknown_choice("task", name, TASKS))
    return TASKS[name]()


__all__ = ["TASKS", "make_task"]
