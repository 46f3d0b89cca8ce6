"""MuJoCo's own window on a running simulation."""

from __future__ import annotations

import os
import sys
import threading
import warnings

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import DependencyError
from robot_learning.sim.world import World

FRAME_PERIOD_NS = NS_PER_S // 60
CLOSE_TIMEOUT_S = 2.0


class Viewer:
    """A window that shows a world; closing it does not end the simulation."""

    def __init__(self, world: World) -> None:
        """Open the window.

        Raises:
            DependencyError: there is no display, or no window can be opened on it.
        """
        named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if sys.platform == "linux" and not named:
            raise DependencyError("there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set")
        try:
            import glfw
            import mujoco.viewer
        except ImportError as error:
            raise DependencyError(f"MuJoCo's viewer cannot be imported: {error}") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what GLFW has to say is in the error below
            if not glfw.init():
                raise DependencyError(f"the display '{named}' cannot be opened")
        before = set(threading.enumerate())
        self._viewer = mujoco.viewer.launch_passive(world.mj_model, world.mj_data)
        self._threads = set(threading.enumerate()) - before
        self._shown_ns = -FRAME_PERIOD_NS

    def show(self, now_ns: int) -> None:
        """Show the world as it is, 60 times a second of its own time at most."""
        if self._viewer.is_running() and now_ns - self._shown_ns >= FRAME_PERIOD_NS:
            self._viewer.sync()
            self._shown_ns = now_ns

    def close(self) -> None:
        """Close the window and wait until it is gone: GLFW must not be taken down around it."""
        self._viewer.close()
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)
