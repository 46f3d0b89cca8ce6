"""MuJoCo's window on the ghost, drawn in a thread of its own.

Drawing without a graphics card takes long, and keys of a device that is not polled for a while
count as released: the polling loop must not wait for the picture.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from robot_learning.core.types import FloatArray
from robot_learning.robots.viewer import Viewer
from robot_learning.sim.model import SimModel
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.world import World

_CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class GhostView:
    """What the window is to show.

    Attributes:
        state: state of the ghost's world, from `World.save_state`.
        facts: names and values that are written into one corner.
        note: text that is written into another corner.
        recorded: (n,) joint positions of the recorded arm, rad or m, drawn as a shadow; None
            for none.
    """

    state: FloatArray
    facts: Mapping[str, str]
    note: str
    recorded: FloatArray | None


class RelabelWindow:
    """Shows the newest of what it was given, and skips what arrives while it draws."""

    def __init__(self, simulation: SimModel) -> None:
        """Open the window on a copy of the scene.

        Raises:
            DependencyError: there is no display, or no window can be opened on it.
        """
        self._world = World(simulation)
        self._viewer = Viewer(self._world, driven=True)
        self._shadow = Shadow(simulation)
        self._newest: GhostView | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._draw, name="window", daemon=True)
        self._thread.start()

    def show(self, shown: GhostView) -> None:
        """Show this as soon as there is time."""
        with self._changed:
            self._newest = shown
            self._changed.notify()

    def close(self) -> None:
        """Close the window."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_CLOSE_TIMEOUT_S)
        self._viewer.close()

    def _draw(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._newest is not None)
                shown, self._newest = self._newest, None
                if self._closing or shown is None:
                    return
            self._world.restore_state(shown.state)
            self._viewer.caption(shown.facts, shown.note)
            self._viewer.shade(self._shadow, shown.recorded)
            self._viewer.show(time.monotonic_ns())
