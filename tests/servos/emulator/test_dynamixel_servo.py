"""An emulated servo of the X series, where its control table says what it does."""

import pytest

from robot_learning.servos.emulator.dynamixel_servo import DynamixelServo
from robot_learning.servos.emulator.families import FAMILIES
from robot_learning.servos.models.dynamixel import STEP_RAD, XL330_M288
from robot_learning.servos.wire.dynamixel import PING, REBOOT, SYNC_WRITE, WRITE, scan
from robot_learning.servos.wire.protocol import Packet

FAMILY = FAMILIES["dynamixel"]
_POSITION_MODE_LIMIT, _RANGE, _ACCESS = 6, 4, 7


@pytest.fixture
def servo() -> DynamixelServo:
    return DynamixelServo(XL330_M288, 1)


def write(servo: DynamixelServo, name: str, count: int) -> int:
    register = XL330_M288.registers[name]
    return servo.write(register.address, register.encode(count))


def test_settings_are_closed_while_the_torque_is_on(servo: DynamixelServo) -> None:
    assert write(servo, "return_delay", 0) == 0
    assert write(servo, "torque_enable", 1) == 0
    assert write(servo, "return_delay", 5) == _ACCESS
    servo.restart()
    assert (servo.count("return_delay"), servo.count("torque_enable")) == (0, 0)
    assert servo.eeprom_writes == 1


@pytest.mark.parametrize(("mode", "error"), [(3, _POSITION_MODE_LIMIT), (4, 0), (5, 0)])
def test_goals_outside_the_limits_are_refused_where_no_turns_are_counted(
    servo: DynamixelServo, mode: int, error: int
) -> None:
    write(servo, "mode", mode)
    assert write(servo, "goal_position", 5000) == error
    assert servo.count("goal_position") == (0 if error else 5000)


def test_the_watchdog_holds_goals_back_until_it_is_cleared(servo: DynamixelServo) -> None:
    write(servo, "torque_enable", 1)
    write(servo, "watchdog", 10)
    servo.pass_time(0.19)
    assert write(servo, "goal_position", 1000) == 0
    servo.pass_time(0.21)
    assert servo.count("watchdog") == -1
    assert write(servo, "goal_position", 2000) == _RANGE
    assert servo.drive().goal_rad is None
    write(servo, "watchdog", 0)
    assert write(servo, "goal_position", 2000) == 0
    assert servo.drive().goal_rad == pytest.approx(2000 * STEP_RAD)


@pytest.mark.parametrize(("shutdown", "torque"), [(0b110100, 0), (0, 1)])
def test_an_error_shuts_it_down_until_a_reboot(
    servo: DynamixelServo, shutdown: int, torque: int
) -> None:
    write(servo, "shutdown", shutdown)
    write(servo, "torque_enable", 1)
    servo.set_count("present_temperature", 90)
    servo.pass_time(0.01)
    assert (servo.status(), servo.count("hardware_error_status")) == (0x80, 0b100)
    assert servo.count("torque_enable") == torque
    servo.set_count("present_temperature", 30)
    assert write(servo, "torque_enable", 1) == _ACCESS
    FAMILY.replies(Packet(1, REBOOT), {1: servo})
    assert servo.status() == 0
    assert write(servo, "torque_enable", 1) == 0


def test_a_shadow_obeys_and_does_not_answer(servo: DynamixelServo) -> None:
    shadow = DynamixelServo(XL330_M288, 2)
    write(shadow, "secondary_id", 1)
    servos = {1: servo, 2: shadow}
    replies = FAMILY.replies(Packet(1, WRITE, b"\x40\x00\x01"), servos)
    assert [reply.servo_id for reply in replies] == [1]
    FAMILY.replies(Packet(0xFE, SYNC_WRITE, bytes.fromhex("74000400" + "01e8030000")), servos)
    assert [each.count("torque_enable") for each in servos.values()] == [1, 1]
    assert [each.count("goal_position") for each in servos.values()] == [1000, 1000]


def test_a_ping_to_all_is_answered_by_all_with_their_models(servo: DynamixelServo) -> None:
    servos = {1: servo, 2: DynamixelServo(XL330_M288, 2)}
    replies = FAMILY.replies(Packet(0xFE, PING), servos)
    (first,) = scan(replies[0].frame).packets
    assert [reply.servo_id for reply in replies] == [1, 2]
    assert int.from_bytes(first.data[1:3], "little") == 1200
