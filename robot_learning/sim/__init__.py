"""MuJoCo scenes, tasks, cameras, gymnasium environments, experts and vectorised rollouts."""

import os

from robot_learning.core.errors import ConfigurationError, DependencyError, unknown_choice
from robot_learning.sim.glfw_library import name_glfw_library

# MuJoCo reads the variable when it is imported, and a wrong value is a RuntimeError there.
_BACKENDS = ("egl", "osmesa", "glfw", "glx", "wgl", "cgl")
_SWITCHES = ("enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0")
_wanted = os.environ.get("MUJOCO_GL", "").lower().strip()
if _wanted and _wanted not in _BACKENDS + _SWITCHES:
    raise ConfigurationError(unknown_choice("value of MUJOCO_GL", _wanted, [*_BACKENDS, "off"]))

name_glfw_library(os.environ)
try:
    import mujoco  # noqa: F401
# It loads the OpenGL library that the variable names, which fails in as many ways as there are.
except Exception as _error:
    _cause = f" with MUJOCO_GL={_wanted}" if _wanted else ""
    raise DependencyError(f"MuJoCo cannot be imported{_cause}: {_error}") from _error
