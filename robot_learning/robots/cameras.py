"""Cameras of a simulated robot: when a frame is due, and who renders it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.types import Image
from robot_learning.sim.model import SimModel
from robot_learning.sim.world import World

if TYPE_CHECKING:
    from robot_learning.sim.rendering import Renderer

DEFAULT_RATE_HZ = 30.0
# Guards the floor below against rates such as 100/3 that floats cannot hold.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera as it is published: image size, rate, and vertical field of view."""

    name: str
    height_px: int
    width_px: int
    rate_hz: float
    fovy_rad: float


def camera_info(simulation: SimModel, name: str) -> CameraInfo:
    """The camera of that name; a camera that only the scene has gets the default rate.

    Raises:
        ConfigurationError: there is no such camera; the text lists those there are.
    """
    view = simulation.camera(name)
    rates = {camera.name: camera.rate_hz for camera in simulation.profile.cameras}
    fovy_rad = math.radians(float(simulation.mj_model.cam_fovy[view.id]))
    rate_hz = rates.get(name, DEFAULT_RATE_HZ)
    return CameraInfo(name, view.height_px, view.width_px, rate_hz, fovy_rad)


class CameraSchedule:
    """Decides which cameras are due at a control tick, each at its own rate."""

    def __init__(self, cameras: Sequence[CameraInfo], control_rate_hz: float) -> None:
        self._per_tick = {camera.name: camera.rate_hz / control_rate_hz for camera in cameras}

    def due(self, tick: int) -> tuple[str, ...]:
        """Cameras with a frame between the tick before and this one; all are due at tick 0."""
        return tuple(
            name
            for name, per_tick in self._per_tick.items()
            if tick == 0 or self._frames(tick, per_tick) > self._frames(tick - 1, per_tick)
        )

    @staticmethod
    def _frames(tick: int, per_tick: float) -> int:
        return math.floor(tick * per_tick + ROUNDING)


class FrameSource(Protocol):
    """Renders the frames that are asked for, now or soon."""

    dropped: int
    """Frames that were due but could not be rendered in time."""

    def request(self, world: World, stamp_ns: int, names: Sequence[str]) -> None:
        """Ask for frames of the world as it is.

        Args:
            world: the simulation that is rendered; its state is read before this returns.
            stamp_ns: stamp of the frames, in simulated nanoseconds.
            names: names of the cameras to render.
        """
        ...

    def collect(self) -> Mapping[str, Image]:
        """Frames that became ready since the last call; never blocks."""
        ...

    def close(self) -> None:
        """Release the renderer."""
        ...


def open_renderer(simulation: SimModel, quality: str) -> Renderer:
    """A renderer of `observation` or `video` quality.

    Raises:
        DependencyError: nothing can render; the text says what to install.
        ConfigurationError: no such quality.
    """
    # Imported here, so that a robot without cameras never touches OpenGL.
    from robot_learning.sim.rendering import OBSERVATION_QUALITY, VIDEO_QUALITY, Renderer

    qualities = {"observation": OBSERVATION_QUALITY, "video": VIDEO_QUALITY}
    if quality not in qualities:
        raise ConfigurationError(unknown_choice("camera quality", quality, qualities))
    return Renderer(simulation, qualities[quality])


class InlineFrames:
    """Renders in the calling thread, which waits: no frame is ever dropped."""

    def __init__(self, simulation: SimModel, quality: str) -> None:
        """Make the renderer.

        Raises:
            DependencyError: nothing can render; the text says what to install.
        """
        self.dropped = 0
        self._renderer = open_renderer(simulation, quality)
        self._ready: dict[str, Image] = {}

    def request(self, world: World, stamp_ns: int, names: Sequence[str]) -> None:
        """Render the frames before returning; see `FrameSource.request`."""
        self._renderer.update(world)
        for name in names:
            self._ready[name] = Image(stamp_ns, self._renderer.render(name))

    def collect(self) -> Mapping[str, Image]:
        """The frames rendered since the last call."""
        ready, self._ready = self._ready, {}
        return ready

    def close(self) -> None:
        """Release the renderer."""
        self._renderer.close()


class NoFrames:
    """For a robot without requested cameras: OpenGL is never touched."""

    def __init__(self) -> None:
        self.dropped = 0

    def request(self, world: World, stamp_ns: int, names: Sequence[str]) -> None:
        """Do nothing; see `FrameSource.request`."""

    def collect(self) -> Mapping[str, Image]:
        """No frames."""
        return {}

    def close(self) -> None:
        """Do nothing."""
