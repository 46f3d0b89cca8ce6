"""An off-screen OpenGL context: egl, then osmesa, or what the variable MUJOCO_GL says.

Nothing here is imported before the first image is asked for. A context is made current only
while it is used, so that any thread may use it next.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from robot_learning.core.errors import DependencyError

BACKENDS = ("egl", "osmesa")
_PACKAGES = {"egl": "libegl1 libgl1-mesa-dri", "osmesa": "libosmesa6"}
_PLATFORM_VARIABLE = "PYOPENGL_PLATFORM"
_OFF = ("disable", "disabled", "off", "false", "0")


class GlContext:
    """An off-screen context of `backend`, large enough for `width_px` x `height_px`."""

    def __init__(self, backend: str, width_px: int, height_px: int) -> None:
        self.backend = backend
        if "OpenGL" not in sys.modules:
            # A parent process that rendered may have left its own choice in the environment.
            os.environ[_PLATFORM_VARIABLE] = backend
        module = importlib.import_module(f"mujoco.{backend}")
        self._context: Any = module.GLContext(width_px, height_px)
        self._release: Callable[[], object] = _releaser(backend, module)
        with self.current():
            pass

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the context current in this thread for the time of a `with` block."""
        self._context.make_current()
        try:
            yield
        finally:
            self._release()

    def close(self) -> None:
        """Free the context. Call it outside of `current`."""
        if self._context is not None:
            self._context.free()
            self._context = None


def open_context(width_px: int, height_px: int) -> GlContext:
    """Open a context with the first backend that works.

    Raises:
        DependencyError: none works; the text says why and which package to install.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower().strip()
    if wanted in _OFF:
        raise DependencyError(f"MUJOCO_GL={wanted} turns rendering off; unset it to get images")
    # Only these two need no screen; any other value is MuJoCo's business on a desktop.
    candidates = (wanted,) if wanted in BACKENDS else BACKENDS
    reasons = []
    for backend in candidates:
        platform = os.environ.get(_PLATFORM_VARIABLE)
        try:
            context = GlContext(backend, width_px, height_px)
        # A missing library shows as ImportError, AttributeError or an error of PyOpenGL's own.
        except Exception as problem:
            reasons.append(
                f"{backend}: {str(problem).splitlines()[0] if str(problem) else problem!r}"
            )
            _forget_platform(backend, platform)
            continue
        if reasons:  # MuJoCo reads it too: the library of the failed backend is still loaded
            os.environ["MUJOCO_GL"] = backend
        return context
    packages = " or ".join(f"'apt-get install {_PACKAGES[name]}'" for name in candidates)
    chosen = f" (MUJOCO_GL={wanted})" if wanted in BACKENDS else ""
    raise DependencyError(
        f"images cannot be rendered{chosen}: {'; '.join(reasons)}. On Debian or Ubuntu: {packages}"
    )


def _releaser(backend: str, module: Any) -> Callable[[], object]:
    if backend == "egl":
        egl = module.EGL

        def release_egl() -> object:
            none = egl.EGL_NO_SURFACE
            return egl.eglMakeCurrent(module.EGL_DISPLAY, none, none, egl.EGL_NO_CONTEXT)

        return release_egl
    osmesa, gl = module.osmesa, module.GL

    def release_osmesa() -> object:
        return osmesa.OSMesaMakeCurrent(None, None, gl.GL_FLOAT, 0, 0)

    return release_osmesa


def _forget_platform(backend: str, platform: str | None) -> None:
    """Undo a failed import, since PyOpenGL binds to one platform when it is first imported."""
    for name in list(sys.modules):
        if name.split(".")[0] == "OpenGL" or name.startswith(f"mujoco.{backend}"):
            del sys.modules[name]
    if platform is None:
        os.environ.pop(_PLATFORM_VARIABLE, None)
