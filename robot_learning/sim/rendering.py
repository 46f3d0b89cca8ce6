"""Camera images of a simulated scene: cheap ones for observations, pretty ones for videos.

With software OpenGL, shadows, reflections and multisampling are what costs time, then the
patterns behind the scene (floor, sky) and finely tessellated curves, so that observations go
without. Import this file only where images are wanted.
"""

from __future__ import annotations

import atexit
import copy
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from robot_learning.core.errors import ConfigurationError, DependencyError
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.sim.gl_context import open_context
from robot_learning.sim.model import CameraView, SimModel, home_qpos
from robot_learning.sim.shadow import Shadow
from robot_learning.sim.world import World


@dataclass(frozen=True, slots=True)
class Quality:
    """What is drawn: shadows, reflections, and the samples a pixel (0: no multisampling).

    `backdrop` is the pattern of the floor and the sky; `curve_slices` the number of faces round a
    cylinder.
    """

    shadows: bool
    reflections: bool
    samples: int
    shadow_map_px: int
    backdrop: bool
    curve_slices: int


OBSERVATION_QUALITY = Quality(
    shadows=False, reflections=False, samples=0, shadow_map_px=0, backdrop=False, curve_slices=14
)
# Shadows show what is in the air. Where there is no graphics card, each of reflections and
# multisampling, which is hardly seen, would double the time of drawing.
VIDEO_QUALITY = Quality(
    shadows=True, reflections=False, samples=0, shadow_map_px=1024, backdrop=True, curve_slices=28
)
FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG = 150.0, -28.0
_SPARE_GEOMS = 500  # for sites, tendons and what else a scene draws beside its geoms


class Renderer:
    """Draws the cameras of one scene.

    `update` takes the scene as it is now; `render` draws it, in any thread and as often as
    wanted, while the world goes on. Calls from several threads wait for each other.
    """

    def __init__(
        self,
        simulation: SimModel,
        quality: Quality = OBSERVATION_QUALITY,
        max_size_px: tuple[int, int] | None = None,
    ) -> None:
        """Open an off-screen context.

        Args:
            simulation: the scene.
            quality: shadows, reflections and sampling.
            max_size_px: (height, width) of the largest image; None for the largest camera's.

        Raises:
            DependencyError: no OpenGL; the text says which package to install.
        """
        sizes = [(view.height_px, view.width_px) for view in simulation.cameras.values()]
        sizes = [max_size_px] if max_size_px else sizes
        self._max_height_px = max((height for height, _ in sizes), default=480)
        self._max_width_px = max((width for _, width in sizes), default=640)
        self._simulation = simulation
        self._lock = threading.Lock()
        size_px = self._max_height_px, self._max_width_px
        self._model = drawn_model(simulation.mj_model, quality, size_px)
        self._data = mujoco.MjData(self._model)
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._scene = empty_scene(self._model, quality)
        self._center, self._distance_m = free_view(simulation)
        self._shade: tuple[Shadow, FloatArray] | None = None
        self._scratch: dict[tuple[int, int], UInt8Array] = {}
        self._gl = open_context(self._max_width_px, self._max_height_px)
        self.backend = self._gl.backend
        self._context = self._make_context()
        self._closed = False
        # Registered after the context, so that it runs before the context's own clean-up.
        self._at_exit = _close_at_exit(self)

    def update(self, world: World) -> None:
        """Take the scene of `world` as it is now."""
        data = world.mj_data
        self.update_state(data.qpos, data.mocap_pos, data.mocap_quat)

    def update_state(
        self, qpos: FloatArray, mocap_position: FloatArray, mocap_quaternion: FloatArray
    ) -> None:
        """Take the state of a scene.

        Args:
            qpos: (nq,) joint positions as MuJoCo has them.
            mocap_position: (nmocap, 3) positions of the mocap bodies, metres.
            mocap_quaternion: (nmocap, 4) orientations of the mocap bodies, w x y z.
        """
        model, data = self._model, self._data
        with self._lock:
            data.qpos[:] = qpos
            data.mocap_pos[:] = mocap_position
            data.mocap_quat[:] = mocap_quaternion
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_camlight(model, data)
            mujoco.mj_tendon(model, data)

    def shade(self, shadow: Shadow, joint_position: FloatArray | None) -> None:
        """Draw a shadow of the robot at `joint_position` (n,), from now on; None for none."""
        with self._lock:
            self._shade = None if joint_position is None else (shadow, joint_position)

    def render(self, camera: str | None, size_px: tuple[int, int] | None = None) -> UInt8Array:
        """Draw one image.

        Args:
            camera: name of a camera; None for a view that frames the robot and its workspaces.
            size_px: (height, width); None for the camera's own.

        Returns:
            uint8 (height, width, 3), RGB, first row at the top.

        Raises:
            ConfigurationError: no such camera, or larger than the renderer was made for.
        """
        view = self._simulation.camera(camera) if camera else None
        height_px, width_px = size_px or self._own_size(view)
        if height_px > self._max_height_px or width_px > self._max_width_px:
            raise ConfigurationError(
                f"{width_px}x{height_px} is larger than this renderer's "
                f"{self._max_width_px}x{self._max_height_px}"
            )
        with self._lock:
            self._aim(view)
            rows = self._scratch.setdefault(
                (height_px, width_px), np.empty((height_px, width_px, 3), np.uint8)
            )
            viewport = mujoco.MjrRect(0, 0, width_px, height_px)
            with self._gl.current():
                mujoco.mjr_render(viewport, self._scene, self._context)
                mujoco.mjr_readPixels(rows, None, viewport, self._context)
            # OpenGL's first row is at the bottom.
            return np.ascontiguousarray(rows[::-1])

    def close(self) -> None:
        """Free everything; harmless when called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self._gl.current():
                self._context.free()
            self._gl.close()
        atexit.unregister(self._at_exit)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _make_context(self) -> mujoco.MjrContext:
        scale, offscreen = mujoco.mjtFontScale.mjFONTSCALE_100, mujoco.mjtFramebuffer.mjFB_OFFSCREEN
        try:
            with self._gl.current():
                context = mujoco.MjrContext(self._model, scale)
                mujoco.mjr_setBuffer(offscreen, context)
        except mujoco.FatalError as problem:
            self._gl.close()
            raise DependencyError(
                f"OpenGL by {self.backend} cannot draw: {problem}. The environment variable "
                "MUJOCO_GL chooses another backend: egl or osmesa"
            ) from problem
        return context

    def _own_size(self, view: CameraView | None) -> tuple[int, int]:
        if view is None:
            return self._max_height_px, self._max_width_px
        return view.height_px, view.width_px

    def _aim(self, view: CameraView | None) -> None:
        if view is None:
            self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
            self._camera.lookat[:], self._camera.distance = self._center, self._distance_m
            self._camera.azimuth, self._camera.elevation = FREE_AZIMUTH_DEG, FREE_ELEVATION_DEG
        else:
            self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
            self._camera.fixedcamid = view.id
        mujoco.mjv_updateScene(
            self._model,
            self._data,
            self._option,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        if self._shade is not None:
            shadow, joint_position = self._shade
            shadow.add_to(self._scene, joint_position)


def drawn_model(
    model: mujoco.MjModel, quality: Quality, max_size_px: tuple[int, int]
) -> mujoco.MjModel:
    """A copy of the model that is drawn in that quality.

    Args:
        model: the compiled scene.
        quality: shadows, reflections and sampling.
        max_size_px: height and width of the largest image.
    """
    drawn = copy.copy(model)
    drawn.vis.global_.offheight, drawn.vis.global_.offwidth = max_size_px
    drawn.vis.quality.offsamples = quality.samples
    drawn.vis.quality.shadowsize = quality.shadow_map_px
    drawn.vis.quality.numslices = quality.curve_slices
    drawn.vis.quality.numstacks = quality.curve_slices // 2
    if not quality.backdrop:
        _make_planes_plain(drawn)
    return drawn


def empty_scene(model: mujoco.MjModel, quality: Quality) -> mujoco.MjvScene:
    """A scene with room for the model's geoms, with the flags of that quality."""
    scene = mujoco.MjvScene(model, model.ngeom + _SPARE_GEOMS)
    scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = quality.shadows
    scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = quality.reflections
    scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = quality.backdrop
    return scene


def _make_planes_plain(model: mujoco.MjModel) -> None:
    """Draw floors in the colour of their material, without its texture."""
    for geom in np.flatnonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)):
        material = model.geom_matid[geom]
        if material >= 0:
            model.mat_texid[material] = -1


def free_view(simulation: SimModel) -> tuple[FloatArray, float]:
    """Point to look at (3,) and distance in metres, to see the arms at home and where they work."""
    model, data = simulation.mj_model, mujoco.MjData(simulation.mj_model)
    data.qpos[:] = home_qpos(simulation)
    mujoco.mj_kinematics(model, data)
    anchors = [data.xanchor[model.dof_jntid[address]] for address in simulation.dof_addresses]
    corners = [
        corner
        for arm in simulation.profile.arms
        for corner in (arm.workspace.min_m, arm.workspace.max_m)
    ]
    points = np.array([*anchors, *corners])
    low, high = points.min(axis=0), points.max(axis=0)
    half_angle_rad = np.deg2rad(float(model.vis.global_.fovy)) / 2
    distance_m = 0.6 * float(np.linalg.norm(high - low)) / np.tan(half_angle_rad)
    return (low + high) / 2, distance_m


def _close_at_exit(renderer: Renderer) -> Callable[[], None]:
    reference = weakref.ref(renderer)

    def close() -> None:
        alive = reference()
        if alive is not None:
            alive.close()

    atexit.register(close)
    return close
