"""A window that plays segments again and again until somebody has ranked them."""

from __future__ import annotations

import time
from typing import Any

from robot_learning.cli.interactive.ranking_keys import ERASE, QUIT
from robot_learning.cli.interactive.segment_pictures import Frames
from robot_learning.core.errors import DependencyError
from robot_learning.episodes.format.optional import require

_POLL_S = 0.005
_NAMED = {"BackSpace": ERASE, "Escape": QUIT}


class RankingWindow:
    """A window of the desktop, by Tk."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            DependencyError: there is no screen, or Tk or Pillow is missing.
        """
        tkinter = require("tkinter", "showing segments in a window")
        self._photo: Any = require("PIL.ImageTk", "showing segments in a window").PhotoImage
        self._image = require("PIL.Image", "showing segments in a window")
        try:
            self._root: Any = tkinter.Tk(className="robot-learning")
        except tkinter.TclError as problem:
            raise DependencyError(f"no window can be opened: {problem}") from problem
        self._root.title("prefer rank")
        self._picture: Any = tkinter.Label(self._root)
        self._picture.pack()
        self._line: Any = tkinter.Label(self._root, font=("TkFixedFont", 14), anchor="w")
        self._line.pack(fill="x")
        self._keys: list[str] = []
        self._is_open = True
        self._shown: list[Any] = []
        self._period_s, self._number = 0.0, 0
        self._root.bind("<Key>", self._pressed)
        self._root.protocol("WM_DELETE_WINDOW", self._closed)

    def show(self, frames: Frames, rate_hz: float) -> None:
        """Play these frames from now on.

        Args:
            frames: pictures (height, width, 3).
            rate_hz: pictures per second.
        """
        self._shown = [self._photo(self._image.fromarray(pixels)) for pixels in frames]
        self._period_s, self._number = 1.0 / rate_hz, 0

    def key(self, line: str) -> str:
        """Wait for a key and return it; `q` where the window was closed.

        Args:
            line: text below the pictures.
        """
        if self._is_open:
            self._line.config(text=line)
        while self._is_open and not self._keys:
            self._picture.config(image=self._shown[self._number % len(self._shown)])
            self._number += 1
            self._live()
        return self._keys.pop(0) if self._keys else QUIT

    def close(self) -> None:
        """Close it."""
        if self._is_open:
            self._closed()

    def _live(self) -> None:
        """Let the window live until the next picture is due, or a key is pressed."""
        end_s = time.monotonic() + self._period_s
        while self._is_open and not self._keys and time.monotonic() < end_s:
            self._root.update()
            time.sleep(_POLL_S)

    def _pressed(self, event: Any) -> None:
        key = _NAMED.get(event.keysym, event.char)
        if key:
            self._keys.append(key)

    def _closed(self) -> None:
        self._is_open = False
        self._root.destroy()
