"""The real state of an X keyboard: which keys are physically down, and who has the focus.

A listener of key events learns neither that its window lost the focus nor that a release got
lost. Both can be asked for, and one round trip a poll is cheap (about 0.1 ms).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from robot_learning.core.errors import DependencyError

_SHIFT_LEVELS = range(4)
_READ_BYTES = 256


def read_in_small_pieces(display: Any) -> None:
    """Let a connection ask for no more bytes at a time than events and short answers have.

    Xlib asks for 128 KiB and then shrinks what it got to the few bytes that came. That leaves
    holes in the heap, which grows by some 100 KiB a minute while keys are pressed.
    """
    display.display.recv_buffer_size = _READ_BYTES


class XKeyboard:
    """A connection of its own to the X server.

    The focus counts as ours while it lies in the window that had it on opening, or in the
    terminal's window when the terminal names it (WINDOWID).
    """

    def __init__(self, watch_focus: bool) -> None:
        from Xlib import display, error

        self._errors: tuple[type[BaseException], ...] = (
            error.ConnectionClosedError,
            error.XError,
            OSError,
        )
        try:
            self._display: Any = display.Display()
            self._codes = self._read_codes()
            read_in_small_pieces(self._display)
            self._home = self._find_home() if watch_focus else None
        except (error.DisplayError, *self._errors) as problem:
            raise DependencyError(
                f"no X display: {problem}; see that DISPLAY names an X server that runs"
            ) from problem

    def close(self) -> None:
        """Drop the connection; a dead one is fine."""
        with suppress(*self._errors):
            self._display.close()

    def code(self, keysym: int) -> int | None:
        """The physical key that types `keysym`, with whatever modifier; None when none does."""
        return self._codes.get(keysym)

    def char_code(self, char: str) -> int | None:
        """The physical key that types `char`; None when none does."""
        from Xlib.XK import string_to_keysym

        # Latin-1 characters are their own keysyms; the others are U+XXXX with bit 24 set.
        unicode = ord(char) if ord(char) < 0x100 else ord(char) | 1 << 24
        return self.code(string_to_keysym(char) or unicode)

    def down(self) -> frozenset[int]:
        """Codes of the keys that are physically down.

        Raises:
            ConnectionError: the X server has disconnected.
        """
        try:
            bits = self._display.query_keymap()
        except self._errors as problem:
            raise ConnectionError("the X server has disconnected") from problem
        return frozenset(
            8 * index + bit for index, byte in enumerate(bits) if byte for bit in _set_bits(byte)
        )

    def focused(self) -> bool:
        """Whether our window has the keyboard; always True when the focus is not watched.

        Raises:
            ConnectionError: the X server has disconnected.
        """
        if self._home is None:
            return True
        try:
            return self._top_level(self._focus()) == self._home
        except self._errors as problem:
            raise ConnectionError("the X server has disconnected") from problem

    def stop(self, listener: Any) -> None:
        """End pynput's `listener`, also one whose X server is going away."""
        with suppress(*self._errors):
            listener.stop()
        with suppress(*self._errors):
            # pynput's own request to end the recording waits for the next key event.
            self._display.record_disable_context(listener._context)
            self._display.flush()

    def _find_home(self) -> int:
        own = os.environ.get("WINDOWID", "")
        if own.isdecimal():
            return self._top_level(self._display.create_resource_object("window", int(own)))
        return self._top_level(self._focus())

    def _focus(self) -> Any:
        return self._display.get_input_focus().focus

    def _top_level(self, window: Any) -> int:
        """The id of the top-level window around `window`; X's own constants as they are."""
        from Xlib import error

        if isinstance(window, int):
            return window
        try:
            while True:
                tree = window.query_tree()
                if not tree.parent or tree.parent == tree.root:
                    return int(window.id)
                window = tree.parent
        except error.BadWindow:
            return 0

    def _read_codes(self) -> dict[int, int]:
        info = self._display.display.info
        count = info.max_keycode - info.min_keycode + 1
        rows = self._display.get_keyboard_mapping(info.min_keycode, count)
        codes: dict[int, int] = {}
        for level in _SHIFT_LEVELS:
            for offset, keysyms in enumerate(rows):
                if level < len(keysyms) and keysyms[level]:
                    codes.setdefault(keysyms[level], info.min_keycode + offset)
        return codes


def _set_bits(byte: int) -> Iterator[int]:
    return (bit for bit in range(8) if byte >> bit & 1)
