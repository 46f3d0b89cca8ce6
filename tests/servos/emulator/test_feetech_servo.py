"""An emulated STS3215, where its memory table says what it does."""

import pytest

from robot_learning.servos.emulator.families import FAMILIES
from robot_learning.servos.emulator.feetech_servo import FeetechServo
from robot_learning.servos.emulator.shafts import Shaft
from robot_learning.servos.models.feetech import STEP_RAD, STS3215
from robot_learning.servos.wire.feetech import ACTION, BROADCAST, PING, REG_WRITE, WRITE, frame
from robot_learning.servos.wire.protocol import Packet

FAMILY = FAMILIES["feetech"]


@pytest.fixture
def servo() -> FeetechServo:
    return FeetechServo(STS3215, 1)


def test_a_locked_memory_takes_a_setting_and_loses_it_with_the_power(servo: FeetechServo) -> None:
    servo.write(21, b"\x10")
    assert (servo.count("position_p"), servo.eeprom_writes) == (16, 0)
    servo.restart()
    assert servo.count("position_p") == 32
    servo.write(55, b"\x00")
    servo.write(21, b"\x10")
    servo.restart()
    assert (servo.count("position_p"), servo.count("lock"), servo.eeprom_writes) == (16, 1, 1)


def test_what_is_measured_cannot_be_written(servo: FeetechServo) -> None:
    servo.sense(Shaft(1000 * STEP_RAD))
    servo.write(56, b"\x00\x00")
    assert servo.count("present_position") == 1000


@pytest.mark.parametrize(("actual", "offset"), [(3000, 952), (1000, -1048), (2048, 0), (0, -2047)])
def test_the_present_position_can_become_the_middle(
    servo: FeetechServo, actual: int, offset: int
) -> None:
    servo.sense(Shaft(actual * STEP_RAD))
    servo.write(40, b"\x80")
    servo.sense(Shaft(actual * STEP_RAD))
    assert servo.count("offset") == offset
    assert abs(servo.count("present_position") - 2048) <= 1


def test_the_torque_limit_is_copied_at_power_on(servo: FeetechServo) -> None:
    servo.write(55, b"\x00")
    servo.write(16, (500).to_bytes(2, "little"))
    servo.restart()
    servo.write(40, b"\x01")
    assert servo.drive().torque == pytest.approx(0.5)


def test_a_hot_servo_lets_go(servo: FeetechServo) -> None:
    servo.write(40, b"\x01")
    assert servo.drive().goal_rad is not None
    servo.set_count("present_temperature", 71)
    assert servo.drive().goal_rad is None
    assert servo.status() == 0b100


def answers(servo: FeetechServo, code: int, data: bytes = b"") -> list[bytes]:
    replies = FAMILY.replies(Packet(1, code, data), {1: servo})
    return [reply.frame for reply in replies]


def test_a_write_can_wait_for_the_word(servo: FeetechServo) -> None:
    assert answers(servo, REG_WRITE, b"\x28\x01") == [frame(1, 0)]
    assert servo.count("torque_enable") == 0
    assert answers(servo, ACTION) == [frame(1, 0)]
    assert servo.count("torque_enable") == 1


def test_a_quiet_servo_answers_pings_and_reads_alone(servo: FeetechServo) -> None:
    servo.set_count("response_level", 0)
    assert answers(servo, WRITE, b"\x28\x01") == []
    assert answers(servo, PING) == [frame(1, 0)]
    assert servo.count("torque_enable") == 1


def test_a_ping_to_all_is_answered_by_all(servo: FeetechServo) -> None:
    servos = {1: servo, 2: FeetechServo(STS3215, 2)}
    replies = FAMILY.replies(Packet(BROADCAST, PING), servos)
    assert [reply.frame for reply in replies] == [frame(1, 0), frame(2, 0)]
    assert FAMILY.replies(Packet(BROADCAST, WRITE, b"\x28\x01"), servos) == []
    assert [each.count("torque_enable") for each in servos.values()] == [1, 1]


def test_a_new_id_answers_by_the_old_one_once(servo: FeetechServo) -> None:
    assert answers(servo, WRITE, b"\x05\x07") == [frame(1, 0)]
    assert servo.id == 7
