"""Emulated servos of Dynamixel's X series, and what they answer to the packets on their bus."""

from __future__ import annotations

import math
from collections.abc import Mapping

from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.reply import Reply
from robot_learning.servos.emulator.shafts import Drive, Shaft
from robot_learning.servos.models.dynamixel import (
    ALERT,
    CURRENT_POSITION_MODE,
    ERROR_BITS,
    NO_SECONDARY_ID,
    POSITION_MODE,
    STEP_RAD,
    TURNS_MODE,
)
from robot_learning.servos.models.servo_model import Alarm, ServoModel
from robot_learning.servos.wire.dynamixel import (
    ACTION,
    BROADCAST,
    PING,
    READ,
    REBOOT,
    REG_WRITE,
    STATUS,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    scan,
    status_frame,
)
from robot_learning.servos.wire.protocol import Packet, Scan

_STEPS_PER_TURN = 4096
_HALF_OF_ALL = 1 << 31
_RANGE_ERROR, _LIMIT_ERROR, _ACCESS_ERROR = 4, 6, 7
_TRIPPED = -1
_GOALS = {"goal_pwm", "goal_current", "goal_speed", "goal_position"}
_ALL, _READS = 2, 1
"""Levels of `response_level`: everything is answered, or reads and pings alone."""


class DynamixelServo(EmulatedServo):
    """A servo of the X series in one of the modes that go to positions.

    After a shutdown it has no torque, and takes none until it is rebooted. Its bus watchdog trips
    when no packet has come for too long while the torque is on; goals are refused then until 0 is
    written to it.
    """

    def refusal(self, counts: Mapping[str, int]) -> int:
        """The error with which a write is refused; 0 where it is obeyed."""
        saved = any(self.model.registers[name].access == "saved" for name in counts)
        down = "torque_enable" in counts and self.count("hardware_error_status")
        if not counts or down or (saved and self.count("torque_enable")):
            return _ACCESS_ERROR
        if self.count("watchdog") == _TRIPPED and _GOALS & counts.keys():
            return _RANGE_ERROR
        goal = counts.get("goal_position")
        if goal is not None and self.count("mode") == POSITION_MODE:
            inside = self.count("angle_min") <= goal <= self.count("angle_max")
            return 0 if inside else _LIMIT_ERROR
        return 0

    def keeps_writes(self) -> bool:
        """Always: while the torque is on such writes are refused."""
        return True

    def after_write(self, counts: Mapping[str, int]) -> None:
        """Nothing: what was written is looked at when it is needed."""

    def pass_time(self, step_s: float) -> None:
        """Let time pass in which no packet came: the watchdog counts, errors are found."""
        if self.count("torque_enable") and 0.0 < self.value("watchdog") < step_s:
            self.set_count("watchdog", _TRIPPED)
        volts = self.count("present_voltage")
        if not self.count("voltage_min") <= volts <= self.count("voltage_max"):
            self._fail(Alarm.VOLTAGE)
        if self.count("present_temperature") > self.count("temperature_max"):
            self._fail(Alarm.TEMPERATURE)

    def status(self) -> int:
        """The bit that says that `hardware_error_status` is to be read."""
        return ALERT if self.count("hardware_error_status") else 0

    def overload(self) -> None:
        """Meet a load that is too much for too long."""
        self._fail(Alarm.OVERLOAD)

    def _fail(self, alarm: Alarm) -> None:
        """Have an error until a reboot, and no torque where it is one to shut down for."""
        bit = 1 << ERROR_BITS.index(alarm)
        self.set_count("hardware_error_status", self.count("hardware_error_status") | bit)
        if bit & self.count("shutdown"):
            self.set_count("torque_enable", 0)

    def restart(self) -> None:
        """Lose what is not kept without power, errors among it."""
        super().restart()
        self.set_count("hardware_error_status", 0)

    def drive(self) -> Drive:
        """Go to the goal within the bounds of speed and acceleration, of which 0 is none."""
        goes = self.count("mode") in (POSITION_MODE, TURNS_MODE, CURRENT_POSITION_MODE)
        if not self.count("torque_enable") or not goes or self.count("watchdog") == _TRIPPED:
            return Drive(None)
        return Drive(
            self.value("goal_position") - self.value("offset"),
            self.value("profile_speed") or math.inf,
            self.value("acceleration") or math.inf,
        )

    def sense(self, shaft: Shaft) -> None:
        """Measure where its shaft is."""
        steps = round(shaft.position_rad / STEP_RAD)
        if self.count("mode") == POSITION_MODE:
            steps %= _STEPS_PER_TURN
        self.set_count("present_position", _wrapped(steps + self.count("offset")))
        self.set_value("present_speed", shaft.velocity_rad_s)
        force = "present_load" if "present_load" in self.model.registers else "present_current"
        self.set_value(force, shaft.load)
        self.set_count("moving", int(abs(shaft.velocity_rad_s) > self.value("moving_threshold")))


class DynamixelFamily:
    """Servos of the X series on a bus, as `families.ServoFamily` describes them."""

    def servo(self, model: ServoModel, servo_id: int) -> EmulatedServo:
        """A new servo."""
        return DynamixelServo(model, servo_id)

    def requests(self, stream: bytes) -> Scan:
        """The requests in bytes to which more may come."""
        found = scan(stream, more_to_come=True)
        found.packets = [packet for packet in found.packets if packet.code != STATUS]
        return found

    def replies(self, request: Packet, servos: Mapping[int, EmulatedServo]) -> list[Reply]:
        """What the servos that are there answer to a packet, in the order in which they do."""
        data = request.data
        if request.code in (SYNC_READ, SYNC_WRITE) and len(data) > 4:
            address, size = _number(data[:2]), _number(data[2:4])
            if request.code == SYNC_READ:
                asked = [servos[each] for each in data[4:] if each in servos]
                return [_reply(each, 0, each.read(address, size)) for each in asked]
            for start in range(4, len(data), size + 1):
                for servo in _obeying(data[start], servos):
                    servo.write(address, data[start + 1 : start + 1 + size])
            return []
        if request.id == BROADCAST:
            answers = [reply for servo in servos.values() for reply in _obey(request, servo)]
            # To all, only a ping is answered.
            return answers if request.code == PING else []
        return [
            reply
            for servo in _obeying(request.id, servos)
            for reply in _obey(request, servo)
            if reply.servo_id == request.id
        ]


def _obeying(servo_id: int, servos: Mapping[int, EmulatedServo]) -> list[EmulatedServo]:
    """The servos that obey what is sent to an id: the one that has it, and its shadows."""
    if servo_id == NO_SECONDARY_ID:
        return []
    return [
        servo for servo in servos.values() if servo_id in (servo.id, servo.count("secondary_id"))
    ]


def _obey(request: Packet, servo: EmulatedServo) -> list[Reply]:
    """Do what a packet asks of one servo, and answer."""
    data, servo_id = request.data, servo.id
    level = servo.count("response_level")
    if request.code == PING:
        told = servo.read(0, 2) + servo.read(6, 1)
        return [_reply(servo, 0, told)]
    if request.code == READ and len(data) == 4:
        found = _reply(servo, 0, servo.read(_number(data[:2]), _number(data[2:])))
        return [found] if level >= _READS else []
    error = 0
    if request.code == WRITE and len(data) > 2:
        error = servo.write(_number(data[:2]), data[2:])
    elif request.code == REG_WRITE and len(data) > 2:
        servo.register_write(_number(data[:2]), data[2:])
    elif request.code == ACTION:
        servo.act()
    elif request.code == REBOOT:
        servo.restart()
    else:
        return []
    if level < _ALL:
        return []
    # It answers by the id under which it was asked, even where that has just changed.
    return [Reply(servo_id, status_frame(servo_id, error | servo.status()))]


def _reply(servo: EmulatedServo, error: int, data: bytes) -> Reply:
    return Reply(servo.id, status_frame(servo.id, error | servo.status(), data))


def _wrapped(steps: int) -> int:
    """Steps as four bytes hold them, which end where a program has asked for too many turns."""
    return (steps + _HALF_OF_ALL) % (2 * _HALF_OF_ALL) - _HALF_OF_ALL


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
