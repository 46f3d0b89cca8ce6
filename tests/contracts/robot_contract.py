"""What every robot must do. Inherit `RobotContract` and give the fixture `robot`."""

from __future__ import annotations

import numpy as np
import pytest

from robot_learning.core.errors import CommandError, RobotConnectionError
from robot_learning.core.types import Command, Observation
from robot_learning.robots.robot import Robot


class RobotContract:
    """Tests of the Robot interface.

    A test class that inherits this has a fixture `robot` with a robot that is not connected,
    and may override `let_time_pass` where time does not pass by itself.
    """

    def let_time_pass(self, robot: Robot) -> None:
        """Let at least one control period of the robot pass."""

    def test_features_are_known_before_connecting(self, robot: Robot) -> None:
        names = [feature.name for feature in robot.observation_features]
        assert not robot.is_connected
        assert names[:3] == ["joint_position", "joint_velocity", "joint_effort"]
        assert len(set(names)) == len(names)
        assert robot.action_feature.names == robot.profile.joint_names

    def test_an_observation_has_the_features_that_were_promised(self, robot: Robot) -> None:
        with robot:
            self.let_time_pass(robot)
            observation = robot.observe()
        arrays = arrays_of(observation)
        for feature in robot.observation_features:
            if feature.name in arrays or feature.dtype != "uint8":
                assert arrays[feature.name].shape == feature.shape
                assert arrays[feature.name].dtype == feature.dtype
        assert set(arrays) <= {feature.name for feature in robot.observation_features}

    def test_what_needs_a_connection_says_so(self, robot: Robot) -> None:
        with pytest.raises(RobotConnectionError, match="not connected"):
            robot.observe()
        with pytest.raises(RobotConnectionError, match="not connected"):
            robot.apply(Command(0, robot.profile.home))

    def test_connecting_twice_is_an_error_and_disconnecting_twice_is_not(
        self, robot: Robot
    ) -> None:
        with robot:
            with pytest.raises(RobotConnectionError, match="already"):
                robot.connect()
            assert robot.is_connected
        robot.disconnect()
        assert not robot.is_connected

    def test_it_can_be_connected_again(self, robot: Robot) -> None:
        for _ in range(2):
            with robot:
                assert robot.observe().joint_position.shape == robot.action_feature.shape

    def test_stamps_never_go_back(self, robot: Robot) -> None:
        with robot:
            stamps = []
            for _ in range(5):
                stamps.append(robot.observe().stamp_ns)
                self.let_time_pass(robot)
        assert stamps == sorted(stamps)
        assert stamps[-1] > stamps[0]

    def test_a_reachable_command_is_taken_as_it_is(self, robot: Robot) -> None:
        with robot:
            target = robot.observe().joint_position
            target = np.clip(target, robot.profile.position_min, robot.profile.position_max)
            taken = robot.apply(Command(7, target))
        assert taken.stamp_ns == 7
        np.testing.assert_allclose(taken.position, target, atol=1e-3)

    def test_what_is_taken_lies_within_the_limits(self, robot: Robot) -> None:
        profile = robot.profile
        beyond = profile.position_max + 1.0
        with robot:
            for _ in range(20):
                taken = robot.apply(Command(0, beyond)).position
                self.let_time_pass(robot)
                assert (taken <= profile.position_max).all()
                assert (taken >= profile.position_min).all()
        assert not np.allclose(taken, beyond)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_command_that_is_not_finite_is_refused_and_changes_nothing(
        self, robot: Robot, value: float
    ) -> None:
        bad = robot.profile.home.copy()
        bad[-1] = value
        with robot:
            held = robot.apply(Command(0, robot.profile.home)).position
            with pytest.raises(CommandError, match=robot.profile.joint_names[-1]):
                robot.apply(Command(0, bad))
            self.let_time_pass(robot)
            again = robot.apply(Command(0, robot.profile.home)).position
        np.testing.assert_allclose(again, held, atol=1e-9)

    @pytest.mark.parametrize("wrong", [0, -1, 1])
    def test_a_command_of_the_wrong_size_is_refused(self, robot: Robot, wrong: int) -> None:
        size = len(robot.profile.joint_names) + wrong if wrong else 0
        with robot, pytest.raises(CommandError, match="wrong size"):
            robot.apply(Command(0, np.zeros(size)))

    def test_an_observation_does_not_change_later(self, robot: Robot) -> None:
        profile = robot.profile
        with robot:
            observation = robot.observe()
            before = {name: array.copy() for name, array in arrays_of(observation).items()}
            robot.apply(Command(0, 0.5 * (profile.position_min + profile.position_max)))
            for _ in range(10):
                self.let_time_pass(robot)
            robot.observe()
        for name, array in arrays_of(observation).items():
            np.testing.assert_array_equal(array, before[name])


def arrays_of(observation: Observation) -> dict[str, np.ndarray]:
    """Every array of an observation by the name of its feature."""
    return {
        "joint_position": observation.joint_position,
        "joint_velocity": observation.joint_velocity,
        "joint_effort": observation.joint_effort,
        **observation.poses,
        **{name: image.pixels for name, image in observation.images.items()},
    }
