"""Giving the keyboard focus back to the window that had it before a new one opened (X11)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# How long a window manager may take to give a new window the keyboard focus.
_WATCHED_S = 0.5
_POLL_S = 0.02
_PAGER = 2  # the source indication of a request that a window manager always obeys


@contextmanager
def focus_given_back() -> Iterator[None]:
    """The window that has the keyboard focus now has it again after windows are opened within.

    Does nothing where there is no X server, or no python-xlib to ask it.
    """
    try:
        from Xlib import display, error
    except ImportError:
        yield
        return
    problems = (error.DisplayError, error.ConnectionClosedError, error.XError, OSError)
    connection: Any = None
    if os.environ.get("DISPLAY"):
        with suppress(*problems):
            connection = display.Display()
    if connection is None:
        yield
        return
    try:
        before = connection.get_input_focus().focus
        yield
        with suppress(*problems):
            _give_back(connection, before)
    finally:
        with suppress(*problems):
            connection.close()


def _give_back(connection: Any, before: Any) -> None:
    # Integers are X's constants for "no window" and "the window under the pointer".
    if isinstance(before, int):
        return
    give_up_s = time.monotonic() + _WATCHED_S
    while time.monotonic() < give_up_s:
        if connection.get_input_focus().focus != before:
            _activate(connection, before)
            return
        time.sleep(_POLL_S)


def _activate(connection: Any, window: Any) -> None:
    """Ask the window manager if there is one that supports it, otherwise the X server itself."""
    from Xlib import X
    from Xlib.protocol import event

    root = connection.screen().root
    active = connection.intern_atom("_NET_ACTIVE_WINDOW")
    supported = root.get_full_property(connection.intern_atom("_NET_SUPPORTED"), X.AnyPropertyType)
    if supported is not None and active in supported.value:
        data = (32, [_PAGER, X.CurrentTime, 0, 0, 0])
        message = event.ClientMessage(window=_top_level(window), client_type=active, data=data)
        mask = X.SubstructureRedirectMask | X.SubstructureNotifyMask
        root.send_event(message, event_mask=mask)
    else:
        window.set_input_focus(X.RevertToParent, X.CurrentTime)
    connection.sync()


def _top_level(window: Any) -> Any:
    """The client's own window around the focused one: the one that has a WM_CLASS."""
    while window.get_wm_class() is None:
        parent = window.query_tree().parent
        if not parent or parent == window.query_tree().root:
            break
        window = parent
    return window
