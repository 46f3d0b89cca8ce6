"""A video is drawn from what was measured, and shows what was in the air."""

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.scene_renderer import SceneRenderer
from robot_learning.sim.tasks import make_task
from robot_learning.sim.tasks.layout import yaw_pose


def test_the_picture_shows_joints_and_objects_where_they_were():
    profile = load_profile("desk_arm")
    renderer = SceneRenderer(profile, make_task("lift"), "front")
    lying, raised = yaw_pose(0.25, 0.0, 0.0175), yaw_pose(0.25, 0.0, 0.12)
    first = renderer.draw(profile.home, {"cube": lying})
    assert first.shape == (480, 640, 3)
    np.testing.assert_array_equal(renderer.draw(profile.home, {"cube": lying}), first)
    lifted = renderer.draw(profile.home, {"cube": raised})
    assert _red_row(lifted) < _red_row(first) - 20
    turned = profile.home.copy()
    turned[0] += 1.0
    moved = renderer.draw(turned, {"cube": lying}).astype(int)
    assert abs(moved - first).mean() > 1.0
    renderer.close()


def test_an_unknown_camera_lists_the_valid_ones():
    with pytest.raises(ConfigurationError, match="unknown camera 'frnt'; did you mean 'front'"):
        SceneRenderer(load_profile("desk_arm"), make_task("lift"), "frnt")


def _red_row(picture) -> float:
    """The mean row of what is red, counted from the top."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    rows = np.nonzero((red > 2 * green) & (red > 2 * blue) & (red > 80))[0]
    assert rows.size > 50
    return float(rows.mean())
