"""Names the GLFW library that MuJoCo loads, which is otherwise looked for at every start.

For each library that is found, GLFW starts a Python process that asks for its version.
"""

from __future__ import annotations

import importlib.util
from collections.abc import MutableMapping
from pathlib import Path

_VARIABLE = "PYGLFW_LIBRARY"


def name_glfw_library(environment: MutableMapping[str, str]) -> None:
    """Have GLFW load the library for X11 that came with it, unless another one is wanted.

    Args:
        environment: variables of the process, before GLFW is imported.
    """
    is_chosen = environment.get(_VARIABLE) or environment.get("PYGLFW_LIBRARY_VARIANT")
    if is_chosen or environment.get("XDG_SESSION_TYPE") == "wayland":
        return
    package = importlib.util.find_spec("glfw")
    if package is None or package.origin is None:
        return
    library = Path(package.origin).parent / "x11" / "libglfw.so"
    if library.is_file():
        environment[_VARIABLE] = str(library)
