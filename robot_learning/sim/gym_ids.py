"""Importing this module registers the tasks with gymnasium; nothing else imports it.

It is for tools that know an environment only by its id: gymnasium imports the module before
the colon, `gymnasium.make("robot_learning.sim.gym_ids:robot_learning/Lift-v0")`. Programs of
your own call `robot_learning.sim.registration.register_envs()` instead.
"""

from robot_learning.sim.registration import register_envs

IDS = register_envs()
