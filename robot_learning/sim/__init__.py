"""MuJoCo scenes, tasks, cameras, gymnasium environments, experts and vectorised rollouts."""

import os

from robot_learning.core.errors import ConfigurationError, unknown_choice

# MuJoCo reads the variable when it is imported, and a wrong value is a RuntimeError there.
_BACKENDS = ("egl", "osmesa", "glfw", "glx", "wgl", "cgl")
_SWITCHES = ("enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0")
_wanted = os.environ.get("MUJOCO_GL", "").lower().strip()
if _wanted and _wanted not in _BACKENDS + _SWITCHES:
    raise ConfigurationError(unknown_choice("value of MUJOCO_GL", _wanted, [*_BACKENDS, "off"]))
