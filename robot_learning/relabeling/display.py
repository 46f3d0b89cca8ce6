"""What is shown while relabelling: a status line, MuJoCo's window, a picture that is redrawn."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from rich.text import Text

from robot_learning.core.files import replacing
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.viewing.controllers import controllers
from robot_learning.episodes.viewing.picture import visible_pixels
from robot_learning.relabeling.ghost import Ghost, SimulatedGhost
from robot_learning.relabeling.session import View
from robot_learning.relabeling.window import GhostView, RelabelWindow
from robot_learning.sim.rendering import Renderer
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.world import World
from robot_learning.teleop.device import OperatorEvent, TeleopDevice, TeleopInput
from robot_learning.teleop.status_line import StatusTerminal

# Two arms closer than this would be drawn in the same place (rad or m).
_APART = 1e-3
_PICTURE_PERIOD_S, _PICTURE_PX, _JPEG_QUALITY = 0.2, (480, 640), 85


class RelabelDisplay:
    """Shows the ghost at its present position, and the state of its device."""

    def __init__(
        self,
        ghost: Ghost,
        device: TeleopDevice,
        world: World | None,
        *,
        window: bool,
        picture: Path | None,
    ) -> None:
        """Prepare.

        Args:
            ghost: ghost that is shown.
            device: device that moves the ghost.
            world: world to draw: that of a simulated ghost, or one with the robot alone, which is
                put where the ghost is; None where the robot has no model.
            window: whether MuJoCo's window is opened on the world.
            picture: JPEG file to draw; None for none.
        """
        self._ghost, self._device, self._picture = ghost, device, picture
        self._world = world
        self._terminal = StatusTerminal()
        self._stack = ExitStack()
        self._window_wanted = window
        self._window: RelabelWindow | None = None
        self._shadow: Any = None
        episode = ghost.rows.episode
        self._drove = controllers(episode)
        self._layers = episode.labels()
        self._renderer: Any = None
        self._drawn_s = 0.0
        self._meaning = ""

    def __enter__(self) -> RelabelDisplay:
        """Open what was asked for.

        Raises:
            DependencyError: there is no display, or no OpenGL.
        """
        self._stack.enter_context(self._terminal)
        if self._world is None:
            return self
        if self._window_wanted:
            self._window = RelabelWindow(self._world.simulation)
            self._stack.callback(self._window.close)
        if self._picture is not None:
            renderer = Renderer(self._world.simulation, max_size_px=_PICTURE_PX)
            self._renderer = self._stack.enter_context(renderer)
            self._shadow = Shadow(self._world.simulation)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def explain(self, meaning: str) -> None:
        """Print the device's keys, and `meaning`, what they do from now on."""
        self._meaning = meaning
        self._terminal.print(f"{self._device.describe()}\n{meaning}")

    def show(self, view: View) -> None:
        """Show the result of a poll."""
        self._show(view.row, f"{view.labelled} labelled, {view.left} left", view.wanted)

    def show_marking(self, row: int, first: int | None, wanted: TeleopInput) -> None:
        """Show a recording that plays, and where its segment begins.

        Args:
            row: row that is shown.
            first: first row of the segment; None until it is marked.
            wanted: newest input from the device.
        """
        text = "mark the first row" if first is None else f"from {first}; mark the end"
        self._show(row, text, wanted)

    def _show(self, row: int, text: str, wanted: TeleopInput) -> None:

        if OperatorEvent.HELP in wanted.events:
            self.explain(self._meaning)
        console = self._terminal.console
        if console.is_terminal:
            line = self._line(row, text, wanted)
            line.truncate(console.width - 1, overflow="ellipsis")
            self._terminal.clear()
            console.print(line, end="")
        if self._world is not None and not isinstance(self._ghost, SimulatedGhost):
            self._world.set_joint_position(self._ghost.observe().joint_position)
        if self._window is not None and self._world is not None:
            self._show_in_window(self._window, self._world, row, text, wanted)
        if self._picture is not None and time.monotonic() - self._drawn_s >= _PICTURE_PERIOD_S:
            self._drawn_s = time.monotonic()
            self._draw(self._picture, row)

    def _line(self, row: int, text: str, wanted: TeleopInput) -> Text:
        line = Text(no_wrap=True)
        line.append(f" row {row} ", "bold black on yellow" if wanted.engaged else "bold")
        line.append(f" {text}")
        if not wanted.health.alive:
            line.append(f" {wanted.health.reason}", "bold red")
        line.append(f" {' '.join(wanted.notes)}", "cyan")
        facts = "; ".join(f"{name} {value}" for name, value in self._facts(row).items())
        line.append(f" ({facts})", "dim")
        return line

    def _show_in_window(
        self, window: RelabelWindow, world: World, row: int, text: str, wanted: TeleopInput
    ) -> None:

        apart = self._recorded_apart(row)
        facts = {"row": f"{row}: {text}", **self._facts(row)}
        facts["hand"] = "drives" if wanted.engaged else "has let go"
        notes = [*wanted.notes, wanted.health.reason]
        if apart is not None:
            notes.append("blue: where the recorded arm stood")
        note = "\n".join(filter(None, notes))
        window.show(GhostView(world.save_state(), facts, note, apart))

    def _recorded_apart(self, row: int) -> FloatArray | None:
        """(n,) recorded joint positions; None where the ghost is in the same place."""
        recorded = self._ghost.rows.array("joint_position")[row]
        apart = np.abs(self._ghost.observe().joint_position - recorded).max()
        return recorded if apart > _APART else None

    def _facts(self, row: int) -> dict[str, str]:
        """What is known about a recorded row, as names and values."""
        facts = {"drove": self._drove[row]} if self._drove else {}
        covering = [layer for layer in self._layers if layer.mask[row]]
        newest = covering[-1] if covering else None
        facts["label"] = f"layer {newest.number}, {newest.author}" if newest else "as recorded"
        facts["state"] = "exact" if self._ghost.is_exact(row) else "as recorded"
        return facts

    def _draw(self, path: Path, row: int) -> None:
        """Draw the recorded frames and the ghost side by side; the file is replaced atomically."""
        tiles = list(self._ghost.rows.images(row).values())
        if self._renderer is not None:
            self._renderer.update(self._world)
            self._renderer.shade(self._shadow, self._recorded_apart(row))
            tiles.append(self._renderer.render(None, _PICTURE_PX))
        if not tiles:
            return
        with replacing(path, durable=False) as beside:
            beside.write_bytes(encode_jpeg(_side_by_side(tiles), _JPEG_QUALITY))


def _side_by_side(tiles: list[UInt8Array]) -> UInt8Array:

    shown = [visible_pixels(tile) for tile in tiles]
    height = max(tile.shape[0] for tile in shown)
    # Small frames are enlarged by a whole factor, so that they can be seen.
    scales = [height // tile.shape[0] for tile in shown]
    shown = [tile.repeat(k, 0).repeat(k, 1) for tile, k in zip(shown, scales, strict=True)]
    padded = [np.pad(tile, ((0, height - tile.shape[0]), (0, 0), (0, 0))) for tile in shown]
    joined: UInt8Array = np.concatenate(padded, axis=1)
    return joined
