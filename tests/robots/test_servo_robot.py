"""A robot on emulated servos: the contract of every robot, and what only a real one has to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from patient_clock import PatientClock
from robot_contract import RobotContract
from servo_robots import GRIPPER, calibration_of, emulated, reached_by, servo_profile

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Command
from robot_learning.robots.robot import Robot
from robot_learning.robots.servo_robot import REOPEN_CYCLES, TORQUE_CYCLES, ServoRobot
from robot_learning.servos.calibration import TICK_RAD, TICKS_PER_TURN
from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.emulator.faults import Fault
from robot_learning.servos.emulator.shafts import Drive, FreeShafts, Shaft
from robot_learning.sim.model import compile_robot
from robot_learning.sim.world import World

ELBOW = 3


class Arm(ServoRobot):
    """A robot at its emulators' ports."""

    emulators: dict[str, ServoEmulator]

    @property
    def servos(self) -> dict[int, EmulatedServo]:
        return self.emulators["arm"].servos

    @property
    def torques(self) -> list[int]:
        return [servo.count("torque_enable") for servo in self.servos.values()]

    def observe_silence(self) -> bool:
        """Whether a servo is silent."""
        try:
            self.observe()
        except RobotConnectionError:
            return True
        return False

    def cycles(self, count: int) -> None:
        for _ in range(count):
            self.advance()


Make = Callable[..., Arm]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a robot of a profile with its emulators, not connected."""
    clock = PatientClock(monkeypatch)
    with ExitStack() as stack:

        def made(profile: RobotProfile | None = None, *, holding: bool = True) -> Arm:
            profile = profile or servo_profile()
            calibration = calibration_of(profile)
            emulators = stack.enter_context(emulated(profile, calibration, holding=holding))
            for emulator in emulators.values():
                clock.watch(emulator)
            robot = Arm(reached_by(profile, emulators), calibration_of(profile))
            robot.emulators = emulators
            # The ports go before what is behind them.
            stack.callback(robot.disconnect)
            return robot

        yield made


class ServoContract(RobotContract):
    def let_time_pass(self, robot: Robot) -> None:
        assert isinstance(robot, ServoRobot)
        robot.advance()


class TestFeetech(ServoContract):
    @pytest.fixture
    def robot(self, make: Make) -> Arm:
        return make()


class TestDynamixelWithAFeetechHand(ServoContract):
    @pytest.fixture
    def robot(self, make: Make) -> Arm:
        return make(servo_profile("xl430-w250", hand="sts3215"))


def test_connecting_writes_nothing_and_keeps_what_the_servos_hold(make: Make) -> None:
    robot = make()
    # It has sagged, and is to be held where it was sent.
    robot.servos[ELBOW].set_count("goal_position", robot.servos[ELBOW].count("goal_position") - 40)
    before = {key: bytes(servo.memory[:56]) for key, servo in robot.servos.items()}
    with robot:
        assert robot.is_enabled
        sagged = robot.commanded - robot.profile.home
        assert abs(sagged[2]) == pytest.approx(40 * TICK_RAD, abs=TICK_RAD)
    assert {key: bytes(servo.memory[:56]) for key, servo in robot.servos.items()} == before
    assert [servo.torque_writes for servo in robot.servos.values()] == [[]] * 7


def test_an_arm_without_torque_moves_only_after_it_was_enabled(make: Make) -> None:
    robot = make(servo_profile(torque_limit=0.4), holding=False)
    with robot:
        home = robot.profile.home
        assert not robot.is_enabled
        taken = robot.apply(Command(0, home + 0.02)).position
        np.testing.assert_allclose(taken, robot.observe().joint_position)
        robot.emulators["arm"].shafts.place(ELBOW, 2.5)
        robot.enable()
        assert robot.is_enabled
        assert robot.servos[ELBOW].count("goal_position") == round(2.5 / TICK_RAD)
        assert robot.servos[7].count("torque_limit") == 400
        before = robot.commanded
        taken = robot.apply(Command(0, before + 0.01)).position
        robot.cycles(3)
    assert robot.torques == [1] * 7
    assert taken[0] == pytest.approx(before[0] + 0.01)
    robot.connect()
    robot.release()
    robot.advance()
    assert robot.torques == [0] * 7
    assert not robot.is_enabled


def test_the_servos_that_hold_keep_their_goals_when_the_others_get_torque(make: Make) -> None:
    robot = make()
    goal = robot.servos[ELBOW].count("goal_position")
    robot.servos[ELBOW].set_count("goal_position", goal - 40)
    robot.servos[1].set_count("torque_enable", 0)
    with robot:
        assert not robot.is_enabled
        assert "no torque on shoulder_pan" in robot.remarks
        robot.enable()
    assert robot.servos[ELBOW].count("goal_position") == goal - 40
    assert [each.torque_writes for each in robot.servos.values()] == [[1], *[[]] * 6]


def test_no_torque_while_a_servo_is_silent(make: Make) -> None:
    robot = make(holding=False)
    with robot:
        robot.emulators["arm"].inject(Fault("dead", ELBOW))
        with pytest.raises(RobotConnectionError, match=r"no answer from elbow_flex \(id 3\)"):
            robot.enable()
    assert robot.torques == [0] * 7


def test_a_silent_servo_keeps_its_sample_and_after_three_cycles_stops_the_arm(make: Make) -> None:
    robot = make()
    with robot:
        stamp_ns = robot.observe().stamp_ns
        robot.emulators["arm"].inject(Fault("dead", ELBOW))
        robot.cycles(2)
        old = robot.observe()
        np.testing.assert_allclose(old.joint_position, robot.profile.home, atol=2e-3)
        assert old.stamp_ns == pytest.approx(stamp_ns, abs=5_000_000)
        assert robot.is_enabled
        robot.advance()
        with pytest.raises(
            RobotConnectionError,
            match=r"no answer from elbow_flex \(id 3\) for \d+ cycles; see to its power and to the "
            "cable from shoulder_lift",
        ):
            robot.observe()
        held = robot.commanded
        np.testing.assert_array_equal(robot.apply(Command(0, held + 0.01)).position, held)


def test_after_a_brown_out_nothing_gets_torque_by_itself(make: Make) -> None:
    robot = make()
    with robot:
        robot.emulators["arm"].inject(Fault("brown-out"))
        robot.cycles(TORQUE_CYCLES)
        assert not robot.is_enabled
        assert any(text.startswith("no torque on ") for text in robot.remarks)
        robot.apply(Command(0, robot.profile.home))
        robot.cycles(2)
        assert robot.torques == [0] * 7
        robot.enable()
        robot.advance()
        assert robot.torques == [1] * 7


def test_a_servo_that_is_back_without_torque_does_not_move_with_the_others(make: Make) -> None:
    robot = make()
    with robot:
        robot.emulators["arm"].inject(Fault("lost", ELBOW, count=3))
        robot.cycles(3)
        assert not robot.is_enabled
        robot.servos[ELBOW].restart()
        for _ in range(TORQUE_CYCLES):
            robot.advance()
            if not robot.observe_silence():
                break
        assert "no torque on elbow_flex" in robot.remarks
        assert not robot.is_enabled


def test_an_arm_that_was_unplugged_is_found_again_and_waits_for_a_person(make: Make) -> None:
    robot = make()
    with robot:
        home = robot.commanded
        robot.emulators["arm"].inject(Fault("unplug"))
        robot.advance()
        with pytest.raises(RobotConnectionError, match="plug the adapter in again"):
            robot.observe()
        np.testing.assert_array_equal(robot.apply(Command(0, home + 0.01)).position, home)
        robot.emulators["arm"].inject(Fault("replug"))
        robot.cycles(REOPEN_CYCLES)
        np.testing.assert_allclose(robot.observe().joint_position, home, atol=2e-3)
        assert not robot.is_enabled
        np.testing.assert_array_equal(robot.apply(Command(0, home + 0.01)).position, home)
        robot.enable()
        taken = robot.apply(Command(0, home + 0.01)).position
        assert taken[0] == pytest.approx(home[0] + 0.01)
    assert [servo.torque_writes for servo in robot.servos.values()] == [[]] * 7


@pytest.mark.parametrize(
    ("register", "count", "text"),
    [
        ("model_number", 778, "elbow_flex says that its model is 778; a sts3215 is 777"),
        ("mode", 1, "elbow_flex is in mode 1, which goes to no positions; valid: 0"),
        ("present_position", 4090, "elbow_flex: it reads 4090 ticks, outside its calibrated"),
    ],
)
def test_servos_that_are_not_those_of_the_profile_are_refused(
    make: Make, register: str, count: int, text: str
) -> None:
    robot = make(holding=False)
    robot.emulators["arm"].shafts.place(ELBOW, count * TICK_RAD)
    robot.servos[ELBOW].set_count(register, count)
    with pytest.raises(ConfigurationError, match=text):
        robot.connect()
    assert not robot.is_connected
    robot.servos[ELBOW].set_count("model_number", 777)
    robot.servos[ELBOW].set_count("mode", 0)
    robot.emulators["arm"].shafts.place(ELBOW, math.pi)
    robot.connect()


def test_a_turn_that_a_servo_has_forgotten_is_found(make: Make) -> None:
    robot = make(servo_profile("xl330-m288"))
    servo, emulator = robot.servos[ELBOW], robot.emulators["arm"]
    goal = servo.count("goal_position") - TICKS_PER_TURN
    servo.set_count("mode", 4)
    servo.set_count("goal_position", goal)
    emulator.shafts.place(ELBOW, goal * TICK_RAD)
    with robot:
        home = robot.profile.home
        np.testing.assert_allclose(robot.observe().joint_position, home, atol=2e-3)
        robot.apply(Command(0, home + 0.02))
        robot.advance()
        assert abs(servo.count("goal_position") - goal) == pytest.approx(13, abs=1)


def test_a_shadow_has_to_obey_its_joint(make: Make) -> None:
    profile = servo_profile("xm540-w270")
    motors = dict(profile.real.motors)
    motors["elbow_flex"] = replace(motors["elbow_flex"], shadow=9)
    robot = make(replace(profile, real=type(profile.real)(profile.real.buses, motors)))
    with pytest.raises(ConfigurationError, match=r"elbow_flex \(shadow\) obeys the id 255, not 3"):
        robot.connect()
    robot.servos[9].set_count("secondary_id", ELBOW)
    with robot:
        home = robot.profile.home
        robot.apply(Command(0, home + 0.02))
        robot.advance()
        goals = [robot.servos[key].count("goal_position") for key in (ELBOW, 9)]
    assert goals[0] == goals[1]


class Something(FreeShafts):
    """Shafts of which the gripper's meets something at 2200 ticks, and presses on it."""

    def advance(self, drives: Mapping[int, Drive], step_s: float) -> Mapping[int, Shaft]:
        shafts = dict(super().advance(drives, step_s))
        if shafts[7].position_rad > 2200 * TICK_RAD:
            self.place(7, 2200 * TICK_RAD)
            pressed = (drives[7].goal_rad or 0.0) > 2260 * TICK_RAD
            shafts[7] = Shaft(2200 * TICK_RAD, 0.0, 0.5 if pressed else 0.1)
        return shafts


def test_a_gripper_that_has_closed_on_something_holds_it(make: Make) -> None:
    robot = make(servo_profile(torque_limit=0.5, stall_hold_s=0.02))
    robot.emulators["arm"].shafts = Something(range(1, 8))
    for key, servo in robot.servos.items():
        robot.emulators["arm"].shafts.place(key, servo.value("goal_position"))
    closed = robot.profile.home.copy()
    closed[-1] = 0.0
    goals = [0]
    with robot:
        while len(goals) < 1000 and not max(goals) > goals[-1]:
            taken = robot.apply(Command(0, closed)).position
            robot.advance()
            goals.append(robot.servos[7].count("goal_position"))
        assert max(goals) > 2260
        assert 2200 < goals[-1] < 2260
        assert taken[-1] == pytest.approx(robot.observe().joint_position[-1], abs=2e-3)
        opened = robot.apply(Command(0, robot.profile.home)).position
        assert opened[-1] > taken[-1]


def test_it_says_what_the_servos_report(make: Make) -> None:
    robot = make()
    with robot:
        assert robot.remarks == ()
        robot.servos[1].set_count("present_voltage", 121)
        robot.servos[2].set_count("present_temperature", 62)
        robot.emulators["arm"].inject(Fault("lost", ELBOW))
        robot.advance()
        assert robot.remarks == (
            "shoulder_pan reports: voltage",
            "shoulder_lift has 62 °C of 70 °C; let it rest",
            "elbow_flex has not answered for 1 cycle",
        )


def test_both_buses_stop_where_one_is_gone(make: Make) -> None:
    robot = make(servo_profile(hand="sts3215"))
    with robot:
        held = robot.commanded
        robot.emulators["hand"].inject(Fault("unplug"))
        robot.advance()
        with pytest.raises(RobotConnectionError, match="is gone"):
            robot.observe()
        np.testing.assert_array_equal(robot.apply(Command(0, held + 0.01)).position, held)


def test_poses_are_those_of_the_model(make: Make) -> None:
    robot = make()
    world = World(compile_robot(robot.profile))
    with robot:
        observation = robot.observe()
    world.set_joint_position(observation.joint_position)
    assert list(observation.poses) == ["arm_end_effector"]
    np.testing.assert_allclose(
        observation.poses["arm_end_effector"], world.pose("arm_end_effector"), atol=1e-9
    )


def test_a_calibration_outside_the_limits_is_refused() -> None:
    profile = servo_profile()
    calibration = calibration_of(profile)
    joints = dict(calibration.joints)
    joints["elbow_flex"] = replace(joints["elbow_flex"], zero_ticks=6000)
    with pytest.raises(
        ConfigurationError, match=r"elbow_flex: its calibrated range, .* lies outsi"
    ):
        ServoRobot(profile, replace(calibration, joints=joints))


@pytest.mark.parametrize(
    ("count", "text"), [(4, "takes bounds of speed for times"), (8, "its torque on with a goal")]
)
def test_drive_modes_that_void_the_bounds_are_refused(make: Make, count: int, text: str) -> None:
    robot = make(servo_profile("xl430-w250"))
    robot.servos[ELBOW].set_count("drive_mode", count)
    with pytest.raises(ConfigurationError, match=f"mode {count} of elbow_flex .*{text}"):
        robot.connect()


def test_a_servo_of_another_protocol_is_refused() -> None:
    profile = servo_profile()
    motors = dict(profile.real.motors)
    motors[GRIPPER] = replace(motors[GRIPPER], model="xl330-m288")
    wrong = replace(profile, real=type(profile.real)(profile.real.buses, motors))
    with pytest.raises(ConfigurationError, match="gripper: a xl330-m288 speaks dynamixel, the bus"):
        ServoRobot(wrong, calibration_of(wrong))
