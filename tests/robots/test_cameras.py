import pytest

from robot_learning.robots.cameras import CameraInfo, CameraSchedule


@pytest.mark.parametrize(
    ("rate_hz", "control_hz", "frames"), [(30, 100, 30), (30, 500, 30), (100, 100, 100), (7, 50, 7)]
)
def test_each_camera_has_as_many_frames_a_second_as_its_rate(rate_hz, control_hz, frames):
    schedule = CameraSchedule([CameraInfo("eye", 4, 4, rate_hz, 1.0)], control_hz)
    due = sum(len(schedule.due(tick)) for tick in range(1, 10 * control_hz + 1))
    assert due == 10 * frames


def test_cameras_keep_their_own_rates():
    slow, fast = CameraInfo("slow", 4, 4, 10.0, 1.0), CameraInfo("fast", 4, 4, 50.0, 1.0)
    schedule = CameraSchedule([slow, fast], 100.0)
    assert schedule.due(0) == ("slow", "fast")
    assert schedule.due(2) == ("fast",)
    assert schedule.due(3) == ()
    assert schedule.due(10) == ("slow", "fast")


def test_a_camera_faster_than_the_control_loop_gives_one_frame_a_tick():
    schedule = CameraSchedule([CameraInfo("eye", 4, 4, 300.0, 1.0)], 100.0)
    assert all(schedule.due(tick) == ("eye",) for tick in range(20))
