"""The tasks that ship with the package, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.sim.task import Task
from robot_learning.sim.tasks.lift import Lift

TASKS: Mapping[str, type[Task]] = MappingProxyType({"lift": Lift})


def make_task(name: str) -> Task:
    """The task of that name, with its standard configuration.

    Raises:
        ConfigurationError: there is none; the text lists those there are.
    """
    if name not in TASKS:
        raise ConfigurationError(unknown_choice("task", name, TASKS))
    return TASKS[name]()  # type: ignore[call-arg]  # every shipped task has defaults


__all__ = ["TASKS", "make_task"]
