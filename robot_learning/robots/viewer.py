"""MuJoCo's own window on a running simulation."""

from __future__ import annotations

import copy
import os
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import DependencyError
from robot_learning.core.types import FloatArray
from robot_learning.robots.keyboard_focus import focus_given_back
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.world import World

if TYPE_CHECKING:
    from mujoco.viewer import Handle

FRAME_PERIOD_NS = NS_PER_S // 60
CLOSE_TIMEOUT_S = 2.0
DRIVING_AZIMUTH_DEG, DRIVING_ELEVATION_DEG = 18.0, -38.0
"""From behind, where x+ is away and y+ left; a little from the right, to see past the arm."""
_GROUPS = (
    *("flags", "geomgroup", "sitegroup", "jointgroup", "tendongroup"),
    *("actuatorgroup", "flexgroup", "skingroup"),
)


class Viewer:
    """A window that shows a world and changes nothing in it; closing it ends no simulation.

    MuJoCo's own shortcuts would: backspace, for one, resets the data that is shown.
    """

    def __init__(self, world: World, *, driven: bool = False) -> None:
        """Open the window with its settings panels closed (Tab, shift-Tab) and without the focus.

        Args:
            world: the simulation that is shown.
            driven: whether a person drives what is shown, mostly with keys. The view is then from
                behind the arm, and MuJoCo's shortcuts do not change how the scene is drawn.

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
        # Whoever drives with the keyboard types into another window; window managers may ignore it.
        glfw.window_hint(glfw.FOCUSED, glfw.FALSE)
        glfw.window_hint(glfw.FOCUS_ON_SHOW, glfw.FALSE)
        self._world, self._shown = world, mujoco.MjData(world.mj_model)
        self._copy_world()
        before = set(threading.enumerate())
        with focus_given_back():
            self._viewer = mujoco.viewer.launch_passive(
                world.mj_model, self._shown, show_left_ui=False, show_right_ui=False
            )
        self._threads = set(threading.enumerate()) - before
        self._aim(driven)
        self._look = SceneLook(self._viewer) if driven else None
        self._shown_ns = -FRAME_PERIOD_NS

    def _aim(self, driven: bool) -> None:
        """Look at the robot and where it works; the mouse moves the view."""
        from robot_learning.sim.rendering import FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG, free_view

        with self._viewer.lock():
            camera = self._viewer.cam
            camera.lookat[:], camera.distance = free_view(self._world.simulation)
            camera.azimuth = DRIVING_AZIMUTH_DEG if driven else FREE_AZIMUTH_DEG
            camera.elevation = DRIVING_ELEVATION_DEG if driven else FREE_ELEVATION_DEG

    def show(self, now_ns: int) -> None:
        """Show the world as it is, at most 60 times per second of its own time."""
        if self._viewer.is_running() and now_ns - self._shown_ns >= FRAME_PERIOD_NS:
            with self._viewer.lock():
                self._copy_world()
                if self._look is not None:
                    self._look.restore()
            self._viewer.sync()
            self._shown_ns = now_ns

    def _copy_world(self) -> None:
        import mujoco

        mujoco.mj_copyData(self._shown, self._world.mj_model, self._world.mj_data)

    def caption(self, facts: Mapping[str, str], note: str = "") -> None:
        """Write names and values into one corner of the window, and a note into another."""
        import mujoco

        font, at = mujoco.mjtFontScale.mjFONTSCALE_150, mujoco.mjtGridPos
        named = (font, at.mjGRID_TOPLEFT, "\n".join(facts), "\n".join(facts.values()))
        self._viewer.set_texts([named, (font, at.mjGRID_BOTTOMLEFT, note, "")])

    def shade(self, shadow: Shadow, joint_position: FloatArray | None) -> None:
        """Draw a shadow of the robot at `joint_position` (n,) from now on; None draws none."""
        scene = self._viewer.user_scn
        scene.ngeom = 0
        if joint_position is not None:
            shadow.add_to(scene, joint_position)

    def close(self) -> None:
        """Close the window and wait until it is gone: GLFW must not be taken down around it."""
        self._viewer.close()
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)


class SceneLook:
    """How MuJoCo's window draws a scene, restored after its shortcuts have changed it."""

    def __init__(self, handle: Handle) -> None:
        """Remember how the scene is drawn now."""
        self._handle = handle
        self._rendering = np.array(handle.user_scn.flags)
        self._option = copy.copy(handle.opt)
        self._camera = (handle.cam.type, handle.cam.fixedcamid)

    def restore(self) -> None:
        """Draw the scene as remembered, from the free camera; the mouse still moves that camera."""
        option, wanted = self._handle.opt, self._option
        self._handle.user_scn.flags[:] = self._rendering
        for group in _GROUPS:
            getattr(option, group)[:] = getattr(wanted, group)
        option.label, option.frame = wanted.label, wanted.frame
        camera = self._handle.cam
        camera.type, camera.fixedcamid = self._camera
