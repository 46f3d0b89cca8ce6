"""MuJoCo's own window on a running simulation."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Mapping

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import DependencyError
from robot_learning.core.types import FloatArray
from robot_learning.robots.keyboard_focus import focus_given_back
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.world import World

FRAME_PERIOD_NS = NS_PER_S // 60
CLOSE_TIMEOUT_S = 2.0


class Viewer:
    """A window that shows a world; closing it does not end the simulation."""

    def __init__(self, world: World) -> None:
        """Open the window, its panels of settings closed (Tab, shift-Tab), the keyboard left alone.

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
        # Who drives with the keyboard types into another window; a window manager may not care.
        glfw.window_hint(glfw.FOCUSED, glfw.FALSE)
        glfw.window_hint(glfw.FOCUS_ON_SHOW, glfw.FALSE)
        before = set(threading.enumerate())
        with focus_given_back():
            self._viewer = mujoco.viewer.launch_passive(
                world.mj_model, world.mj_data, show_left_ui=False, show_right_ui=False
            )
        self._threads = set(threading.enumerate()) - before
        self._aim(world)
        self._shown_ns = -FRAME_PERIOD_NS

    def _aim(self, world: World) -> None:
        """Look at the robot and where it works, as pictures of it do; the mouse moves the view."""
        from robot_learning.sim.rendering import FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG, free_view

        with self._viewer.lock():
            camera = self._viewer.cam
            camera.lookat[:], camera.distance = free_view(world.simulation)
            camera.azimuth, camera.elevation = FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG

    def show(self, now_ns: int) -> None:
        """Show the world as it is, 60 times a second of its own time at most."""
        if self._viewer.is_running() and now_ns - self._shown_ns >= FRAME_PERIOD_NS:
            self._viewer.sync()
            self._shown_ns = now_ns

    def caption(self, facts: Mapping[str, str], note: str = "") -> None:
        """Write names and values into a corner of the window, and a note into another."""
        import mujoco

        font, at = mujoco.mjtFontScale.mjFONTSCALE_150, mujoco.mjtGridPos
        named = (font, at.mjGRID_TOPLEFT, "\n".join(facts), "\n".join(facts.values()))
        self._viewer.set_texts([named, (font, at.mjGRID_BOTTOMLEFT, note, "")])

    def shade(self, shadow: Shadow, joint_position: FloatArray | None) -> None:
        """Draw a shadow of the robot at `joint_position` (n,), from now on; None for none."""
        scene = self._viewer.user_scn
        scene.ngeom = 0
        if joint_position is not None:
            shadow.add_to(scene, joint_position)

    def close(self) -> None:
        """Close the window and wait until it is gone: GLFW must not be taken down around it."""
        self._viewer.close()
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)
