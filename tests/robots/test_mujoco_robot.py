import os
import signal
import time

import numpy as np
import psutil
import pytest
from robot_contract import RobotContract
from warm_process import is_of_warm_processes

from robot_learning.core.errors import ConfigurationError, DependencyError, RobotConnectionError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Command
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.sim.env import make_env
from robot_learning.sim.tasks import make_task


def renderers():
    """The render processes: all children but those that the tests keep for quick starts."""
    children = psutil.Process().children()
    return [one for one in children if not is_of_warm_processes(one.pid)]


def make_robot(robot="desk_arm", task="lift", cameras=(), **more):
    return MujocoRobot(load_profile(robot), make_task(task), cameras, **more)


class MujocoContract(RobotContract):
    def let_time_pass(self, robot):
        robot.advance()


class TestDeskArm(MujocoContract):
    @pytest.fixture
    def robot(self):
        return make_robot()


class TestDeskDuo(MujocoContract):
    @pytest.fixture
    def robot(self):
        return make_robot("desk_duo", "handover")


class TestWithCameras(MujocoContract):
    @pytest.fixture
    def robot(self):
        return make_robot(cameras=["all"])


def test_a_seed_places_objects_as_the_environment_does():
    env = make_env("desk_arm", "lift")
    expected, _ = env.reset(seed=5)
    with make_robot(seed=5) as robot:
        np.testing.assert_array_equal(
            robot.observe().poses["cube"].astype(np.float32), expected["cube"]
        )


def test_each_reset_takes_the_next_seed_unless_one_is_given():
    with make_robot(seed=5) as robot:
        assert [robot.reset(), robot.reset(), robot.reset(9), robot.reset()] == [6, 7, 9, 10]


def test_time_goes_on_through_a_reset():
    with make_robot() as robot:
        for _ in range(3):
            robot.advance()
        robot.reset()
        assert robot.observe().stamp_ns == 3 * robot.period_ns
        robot.advance()
        assert robot.observe().stamp_ns == 4 * robot.period_ns


def test_a_reset_puts_objects_where_it_is_told():
    with make_robot() as robot:
        robot.reset(0, {"poses": {"cube": [0.2, 0.05, 0.02]}})
        np.testing.assert_allclose(robot.observe().poses["cube"][:3], [0.2, 0.05, 0.02])
        with pytest.raises(ConfigurationError, match="cube"):
            robot.reset(0, {"poses": {"cub": [0.2, 0.05, 0.02]}})


def test_a_command_moves_the_robot_no_faster_than_its_limits():
    with make_robot() as robot:
        limit = robot.profile.velocity_max * robot.period_ns / 1e9
        before = robot.world.command
        target = robot.profile.home.copy()
        target[0] += 0.5
        first = robot.apply(Command(0, target)).position
        assert (np.abs(first - before) <= limit + 1e-12).all()
        for _ in range(100):
            robot.apply(Command(0, target))
            robot.advance()
        assert robot.observe().joint_position[0] == pytest.approx(target[0], abs=0.02)


def test_equal_seeds_and_commands_give_equal_observations():
    def run():
        with make_robot(seed=3) as robot:
            for tick in range(50):
                robot.apply(Command(0, robot.profile.home + 0.1 * np.sin(0.1 * tick)))
                robot.advance()
            return robot.observe()

    one, other = run(), run()
    np.testing.assert_array_equal(one.joint_position, other.joint_position)
    np.testing.assert_array_equal(one.poses["cube"], other.poses["cube"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"cameras": ["frnt"]}, "did you mean 'front'"),
        ({"cameras": ["front", "front"]}, "asked for twice"),
        ({"rendering": "thread"}, "valid: inline, process"),
        ({"robot": "desk_arm", "task": "handover"}, "needs 2 arms"),
    ],
)
def test_what_does_not_fit_is_refused_before_connecting(arguments, text):
    with pytest.raises(ConfigurationError, match=text):
        make_robot(**arguments)


def test_inline_frames_come_at_the_rate_of_their_camera():
    with make_robot(cameras=["wrist"]) as robot:
        stamps = {robot.observe().images["wrist"].stamp_ns}
        for _ in range(100):
            robot.advance()
            stamps.add(robot.observe().images["wrist"].stamp_ns)
    # 30 Hz over one second of ticks, and the one of the reset.
    assert len(stamps) == 31


class TestRenderProcess:
    @pytest.fixture
    def robot(self):
        with make_robot(cameras=["front"], rendering="process") as robot:
            yield robot

    def frame(self, robot):
        for _ in range(10_000):
            images = robot.observe().images
            if images:
                return images["front"]
            time.sleep(0.01)
        raise AssertionError("no frame came")

    def test_it_renders_what_the_robot_would_render_itself(self, robot):
        with make_robot(cameras=["front"]) as other:
            expected = other.observe().images["front"]
        frame = self.frame(robot)
        assert frame.stamp_ns == expected.stamp_ns
        np.testing.assert_array_equal(frame.pixels, expected.pixels)

    def test_disconnecting_ends_the_process(self, robot):
        (child,) = renderers()
        robot.disconnect()
        assert not child.is_running()

    def test_its_death_is_an_error_that_says_so(self, robot):
        (child,) = renderers()
        os.kill(child.pid, signal.SIGKILL)
        # Its socket closes with its last thread, which may wait for a processor.
        until_s = time.monotonic() + 30.0
        with pytest.raises(RobotConnectionError, match="render process died"):
            while time.monotonic() < until_s:
                robot.advance()
                robot.observe()


def test_a_broken_opengl_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    robot = make_robot(cameras=["front"], rendering="process")
    with pytest.raises(DependencyError, match="MUJOCO_GL") as raised:
        robot.connect()
    assert "\n" not in str(raised.value)
    assert not robot.is_connected
    assert not renderers()
