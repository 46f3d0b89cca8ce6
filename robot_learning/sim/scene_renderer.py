"""Pictures of what a robot and its objects did, drawn afterwards from what was measured.

A picture with shadows takes several control periods to draw without a graphics card; drawn
afterwards it slows nothing down.
"""

from __future__ import annotations

from collections.abc import Mapping

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, UInt8Array
from robot_learning.sim.rendering import VIDEO_QUALITY, Renderer
from robot_learning.sim.task import Task
from robot_learning.sim.world import World


class SceneRenderer:
    """Draws a task's scene as one of its cameras saw it."""

    def __init__(self, profile: RobotProfile, task: Task, camera: str) -> None:
        """Compose the scene and open an off-screen context.

        Raises:
            ConfigurationError: there is no such camera.
            DependencyError: nothing here can draw.
        """
        simulation = task.compose(profile)
        view = simulation.camera(camera)
        self._camera = camera
        self._world = World(simulation)
        self._renderer = Renderer(simulation, VIDEO_QUALITY, (view.height_px, view.width_px))

    def draw(self, joint_position: FloatArray, poses: Mapping[str, FloatArray]) -> UInt8Array:
        """The picture (height, width, 3) of joints (n,), and objects at poses (7,)."""
        self._world.set_joint_position(joint_position)
        for name, pose in poses.items():
            self._world.set_pose(name, pose)
        self._renderer.update(self._world)
        return self._renderer.render(self._camera)

    def close(self) -> None:
        """Free the context."""
        self._renderer.close()
