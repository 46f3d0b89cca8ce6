"""The tasks as gymnasium ids: `robot_learning/Lift-v0` and so on."""

from __future__ import annotations

import gymnasium

NAMESPACE = "robot_learning"


def env_id(task: str) -> str:
    """The gymnasium id of a task.

    >>> env_id("lift")
    'robot_learning/Lift-v0'
    """
    name = "".join(word.capitalize() for word in task.split("_"))
    return f"{NAMESPACE}/{name}-v0"


def register_envs() -> tuple[str, ...]:
    """Make the tasks known to `gymnasium.make` and `gymnasium.make_vec`; returns their ids.

    May be called again. The environments truncate at their own horizon, which depends on the
    control rate, so that no `max_episode_steps` is registered beside it.
    """
    from robot_learning.sim.tasks import TASKS, make_task

    ids = []
    for task in TASKS:
        identifier = env_id(task)
        ids.append(identifier)
        if identifier in gymnasium.registry:
            continue
        robot = "desk_arm" if make_task(task).minimum_arms == 1 else "desk_duo"
        gymnasium.register(
            id=identifier,
            entry_point="robot_learning.sim.env:RobotEnv",
            vector_entry_point="robot_learning.sim.vector:RobotVectorEnv",
            kwargs={"task": task, "robot": robot},
        )
    return tuple(ids)
