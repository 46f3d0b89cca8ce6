import numpy as np
import pytest

from robot_learning.core.errors import CommandError
from robot_learning.core.types import Image
from robot_learning.episodes.format.image_encodings import image_pixels
from robot_learning.messages.poses import pose_array
from robot_learning.messages.stamps import time_ns
from robot_learning.messages.trajectories import read_trajectory
from robot_learning.ros.common import conversions

NAMES = ("a", "b", "c")


@pytest.mark.parametrize("stamp_ns", [0, 1, 999_999_999, 1_700_000_000_123_456_789])
def test_times_survive(stamp_ns):
    assert time_ns(conversions.time_message(stamp_ns)) == stamp_ns


def test_poses_survive():
    pose = np.array([0.1, 0.2, 0.3, 0.5, -0.5, 0.5, 0.5])
    np.testing.assert_array_equal(pose_array(conversions.pose_message(pose, 0)), pose)


def test_images_survive():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    message = conversions.image_message(Image(0, pixels), "eye", 9)
    assert (message.height, message.width, message.step) == (4, 6, 18)
    np.testing.assert_array_equal(image_pixels(message), pixels)
    message.encoding = "bgr8"
    np.testing.assert_array_equal(image_pixels(message), pixels[:, :, ::-1])


def test_an_image_whose_data_does_not_fill_it_is_an_error():
    message = conversions.image_message(Image(0, np.zeros((4, 6, 3), np.uint8)), "eye", 0)
    message.height = 5
    with pytest.raises(CommandError, match="72 bytes"):
        image_pixels(message)


def test_camera_info_projects_the_edge_of_the_view_to_the_edge_of_the_image():
    info = conversions.camera_info_message(480, 640, 0.8, "eye", 0)
    matrix = np.array(info.k).reshape(3, 3)
    top = matrix @ [0.0, -np.tan(0.4), 1.0]
    # Pixel 0's centre is at 0, its edge at -0.5.
    np.testing.assert_allclose(top, [319.5, -0.5, 1.0], atol=1e-9)


def test_trajectories_survive_in_any_order():
    positions = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    message = conversions.trajectory_message(("c", "a", "b"), positions, (0.5, 1.25))
    points = read_trajectory(message, NAMES)
    np.testing.assert_array_equal(points.offsets_s, [0.5, 1.25])
    np.testing.assert_array_equal(points.positions, [[2, 3, 1], [5, 6, 4]])
