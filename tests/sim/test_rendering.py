"""Images: right side up, repeatable, from any thread, and clear words when there is no OpenGL."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.model import compose
from robot_learning.sim.rendering import OBSERVATION_QUALITY, VIDEO_QUALITY, Renderer
from robot_learning.sim.world import World

SCENE = """
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <worldbody>
    <light pos="0 0 4" castshadow="true"/>
    <geom type="plane" size="3 3 0.1" rgba="0.3 0.3 0.3 1"/>
    <camera name="side" pos="2 0 1" xyaxes="0 1 0 0 0 1"/>
    <camera name="large" pos="2 0 1" xyaxes="0 1 0 0 0 1" resolution="320 200"/>
    <body name="ball" pos="0 0 1.6">
      <geom type="sphere" size="0.2" rgba="1 0 0 1"/>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def world(profile_of, tmp_path):
    scene = tmp_path / "scene.xml"
    scene.write_text(SCENE)
    return World(compose(profile_of("torque_arm"), scene))


@pytest.fixture
def renderer(world):
    with Renderer(world.simulation) as renderer:
        renderer.update(world)
        yield renderer


def redness(image):
    return image[..., 0].astype(int) - image[..., 1:].max(axis=-1)


def test_the_first_row_is_at_the_top_and_channels_are_rgb(renderer):
    image = renderer.render("side")
    assert (image.shape, image.dtype) == ((224, 224, 3), np.uint8)
    rows, columns = np.nonzero(redness(image) > 100)
    assert rows.size > 100
    assert rows.max() < 112
    assert abs(columns.mean() - 112) < 3


def test_images_follow_the_update_and_not_the_world(renderer, world):
    before = renderer.render("side")
    world.set_pose("ball", np.array([0.0, 0.5, 0.5]))
    assert np.array_equal(renderer.render("side"), before)
    renderer.update(world)
    rows, columns = np.nonzero(redness(renderer.render("side")) > 100)
    assert rows.min() > 112
    assert columns.min() > 112


def test_sizes_are_the_cameras_own_or_as_asked(renderer):
    assert renderer.render("large").shape == (200, 320, 3)
    assert renderer.render("wrist").shape == (48, 64, 3)
    assert renderer.render("side", (30, 50)).shape == (30, 50, 3)
    assert renderer.render(None).shape == (224, 320, 3)
    with pytest.raises(ConfigurationError, match="1000x1000 is larger than this renderer's"):
        renderer.render("side", (1000, 1000))
    with pytest.raises(ConfigurationError, match="unknown camera 'sid'; did you mean 'side'"):
        renderer.render("sid")


def test_an_image_is_not_overwritten_by_the_next(renderer, world):
    first = renderer.render("side")
    kept = first.copy()
    world.set_pose("ball", np.array([0.0, 0.5, 0.5]))
    renderer.update(world)
    renderer.render("side")
    assert np.array_equal(first, kept)


def test_any_thread_may_render(renderer):
    expected = renderer.render("side")
    with ThreadPoolExecutor(3) as pool:
        images = list(pool.map(lambda _: renderer.render("side"), range(9)))
    assert all(np.array_equal(image, expected) for image in images)
    assert np.array_equal(renderer.render("side"), expected)


def test_videos_have_shadows_and_observations_have_none(world):
    def darkened(quality):
        """Where the picture is darker than without shadows."""
        pictures = []
        for each in (quality, replace(quality, shadows=False)):
            with Renderer(world.simulation, each) as renderer:
                renderer.update(world)
                pictures.append(renderer.render("side").astype(int).sum(-1))
        return pictures[0] < pictures[1]

    assert darkened(VIDEO_QUALITY).sum() > 20
    assert not darkened(OBSERVATION_QUALITY).any()


def test_observed_images_and_videos_of_an_environment(profile_of, touch):
    env = RobotEnv(
        profile_of("torque_arm"), touch, cameras=("overview", "wrist"), render_mode="rgb_array"
    )
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert observation["overview"].std() > 1.0
    assert env.render().shape == (480, 640, 3)
    again, _ = env.reset(seed=0)
    assert np.array_equal(again["overview"], observation["overview"])
    env.close()
    env.close()


RENDER = """
from robot_learning.core.errors import DependencyError
from robot_learning.sim.env import make_env
try:
    env = make_env(task="lift", cameras=("wrist",))
    print(env._renderer.backend, env.reset(seed=0)[0]["wrist"].std() > 1.0)
except DependencyError as problem:
    print("DependencyError:", problem)
"""


def render_in_a_process(**variables):
    """With `variables` set; the environment is left open, so that its end is tested too."""
    environment = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER],
        check=True,
        env=environment | variables,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_the_variable_chooses_the_backend_and_the_end_is_clean(backend):
    assert render_in_a_process(MUJOCO_GL=backend) == (f"{backend} True", "")


def test_egl_comes_first_and_osmesa_stands_in():
    assert render_in_a_process() == ("egl True", "")
    # No such device: egl fails as it does where its drivers are missing.
    assert render_in_a_process(MUJOCO_EGL_DEVICE_ID="99") == ("osmesa True", "")


def test_without_opengl_the_error_names_the_package():
    text, _ = render_in_a_process(MUJOCO_GL="egl", MUJOCO_EGL_DEVICE_ID="99")
    assert text.startswith("DependencyError: images cannot be rendered (MUJOCO_GL=egl)")
    assert text.endswith("On Debian or Ubuntu: 'apt-get install libegl1 libgl1-mesa-dri'")
    assert "MUJOCO_GL=off turns rendering off" in render_in_a_process(MUJOCO_GL="off")[0]
