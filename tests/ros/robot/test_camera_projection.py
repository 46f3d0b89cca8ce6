"""Where `camera_info` says that a point is seen, the rendered image shows it."""

from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.cameras import camera_info
from robot_learning.ros.common.conversions import camera_info_message
from robot_learning.sim.model import compose
from robot_learning.sim.rendering import Renderer
from robot_learning.sim.world import World

DISTANCE_M, CAMERA_M = 1.0, 50.0  # far above the robot
# A pixel-centre convention that is wrong would be 0.5 away.
TOLERANCE_PX = 0.2
SCENE = f"""
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <worldbody>
    <camera name="even" pos="0 0 {CAMERA_M}" fovy="50" resolution="320 200"/>
    <camera name="odd" pos="0 0 {CAMERA_M}" fovy="50" resolution="321 201"/>
    <body name="ball" pos="0 0 0"><geom type="sphere" size="0.02" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""


def centroid(image: np.ndarray) -> np.ndarray:
    """(column, row) of the middle of what is red, in pixels whose centres are whole numbers."""
    red = np.clip(image[..., 0].astype(float) - image[..., 1:].max(axis=-1) - 20.0, 0.0, None)
    rows, columns = np.indices(red.shape)
    return np.array([(red * columns).sum(), (red * rows).sum()]) / red.sum()


@pytest.mark.parametrize("camera", ["even", "odd"])
def test_a_small_ball_is_seen_where_the_intrinsics_say(camera: str, tmp_path: Path) -> None:
    (tmp_path / "scene.xml").write_text(SCENE)
    world = World(compose(load_profile("desk_arm"), tmp_path / "scene.xml"))
    view = camera_info(world.simulation, camera)
    info = camera_info_message(view.height_px, view.width_px, view.fovy_rad, camera, 0)
    intrinsics = np.array(info.k).reshape(3, 3)
    with Renderer(world.simulation) as renderer:
        for right, up in ((0.0, 0.0), (0.3, 0.2), (-0.4, 0.3), (0.3, -0.35), (-0.2, -0.1)):
            world.set_pose("ball", np.array([right, up, CAMERA_M - DISTANCE_M]))
            renderer.update(world)
            seen = centroid(renderer.render(camera))
            column, row, _ = intrinsics @ [right, -up, DISTANCE_M] / DISTANCE_M
            np.testing.assert_allclose(seen, [column, row], atol=TOLERANCE_PX)
