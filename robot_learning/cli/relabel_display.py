"""What somebody who relabels is shown: a line, MuJoCo's window, a picture that is drawn anew."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from robot_learning.teleop.device import OperatorEvent
from robot_learning.teleop.status_line import StatusTerminal

if TYPE_CHECKING:
    from robot_learning.core.types import UInt8Array
    from robot_learning.runtime.relabel_session import RelabelSession, View

KEYS = """\
A motion labels the row that is shown and goes on to the next; without one nothing goes on.
hand back: passes over a row, or ends the segment; failure: takes the last label back, or begins the
segment again; stop, success or Ctrl-C: keep the labels; discard: throw them away.
Keys count while this terminal is in front: click on it again once another window has opened."""
_PICTURE_PERIOD_S, _PICTURE_PX, _JPEG_QUALITY = 0.2, (480, 640), 85


class RelabelDisplay:
    """Shows a session. Window and picture show the ghost where it stands."""

    def __init__(self, session: RelabelSession, window: bool, picture: Path | None) -> None:
        self._session, self._picture = session, picture
        self._terminal = StatusTerminal()
        self._stack = ExitStack()
        self._window_wanted = window
        self._viewer: Any = None
        self._renderer: Any = None
        self._drawn_s = 0.0

    def __enter__(self) -> RelabelDisplay:
        """Open what was asked for.

        Raises:
            DependencyError: there is no display, or no OpenGL.
        """
        self._stack.enter_context(self._terminal)
        robot = self._robot()
        if self._window_wanted and robot is not None:
            from robot_learning.robots.viewer import Viewer

            self._viewer = Viewer(robot.world)
            self._stack.callback(self._viewer.close)
        if self._picture is not None and robot is not None:
            from robot_learning.sim.rendering import Renderer

            renderer = Renderer(robot.world.simulation, max_size_px=_PICTURE_PX)
            self._renderer = self._stack.enter_context(renderer)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def explain(self, keys: str) -> None:
        """Print what the device's keys do, and what they mean here."""
        self._terminal.print(f"{keys}\n{KEYS}")

    def show(self, view: View) -> None:
        """Show what came of a poll."""
        if OperatorEvent.HELP in view.wanted.events:
            self.explain(self._session.device.describe())
        console = self._terminal.console
        if console.is_terminal:
            line = self._line(view)
            line.truncate(console.width - 1, overflow="ellipsis")
            self._terminal.clear()
            console.print(line, end="")
        if self._viewer is not None:
            self._viewer.show(time.monotonic_ns())
        if self._picture is not None and time.monotonic() - self._drawn_s >= _PICTURE_PERIOD_S:
            self._drawn_s = time.monotonic()
            self._draw(self._picture)

    def _line(self, view: View) -> Text:
        exact = self._session.ghost.is_exact(view.row)
        text = Text(no_wrap=True)
        text.append(f" row {view.row} ", "bold black on yellow" if view.wanted.engaged else "bold")
        text.append(f" {view.labelled} labelled, {view.left} left")
        text.append(" exact state" if exact else " as recorded", "dim")
        text.append(f" {' '.join(view.wanted.notes)}", "cyan")
        if not view.wanted.health.alive:
            text.append(f" {view.wanted.health.reason}", "bold red")
        return text

    def _robot(self) -> Any:
        return getattr(self._session.ghost, "robot", None)

    def _draw(self, path: Path) -> None:
        """The recorded frames and the ghost beside each other; the file is replaced whole."""
        from robot_learning.episodes.images import encode_jpeg

        ghost = self._session.ghost
        tiles = list(ghost.rows.images(self._session.row).values())
        if self._renderer is not None:
            self._renderer.update(self._robot().world)
            tiles.append(self._renderer.render(None, _PICTURE_PX))
        if not tiles:
            return
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(encode_jpeg(_side_by_side(tiles), _JPEG_QUALITY))
        beside.replace(path)


def _side_by_side(tiles: list[UInt8Array]) -> UInt8Array:
    from robot_learning.episodes.picture import visible_pixels

    shown = [visible_pixels(tile) for tile in tiles]
    height = max(tile.shape[0] for tile in shown)
    padded = [np.pad(tile, ((0, height - tile.shape[0]), (0, 0), (0, 0))) for tile in shown]
    joined: UInt8Array = np.concatenate(padded, axis=1)
    return joined
