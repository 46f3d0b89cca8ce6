"""Emulated servos of Feetech's STS series, and what they answer to the packets on their bus."""

from __future__ import annotations

import math
from collections.abc import Mapping

from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.reply import Reply
from robot_learning.servos.emulator.shafts import Drive, Shaft
from robot_learning.servos.models.feetech import STATUS_BITS, STEP_RAD, STEPS_PER_TURN
from robot_learning.servos.models.servo_model import Alarm, ServoModel
from robot_learning.servos.wire.feetech import (
    ACTION,
    BROADCAST,
    PING,
    READ,
    REG_WRITE,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    frame,
    scan,
)
from robot_learning.servos.wire.protocol import Packet, Scan

_VOLTAGE, _TEMPERATURE, _OVERLOAD = (
    1 << STATUS_BITS.index(alarm) for alarm in (Alarm.VOLTAGE, Alarm.TEMPERATURE, Alarm.OVERLOAD)
)
_MIDDLE = STEPS_PER_TURN // 2
_SET_MIDDLE = 128
"""Written to `torque_enable`, it makes the present position the middle of the turn."""


class FeetechServo(EmulatedServo):
    """A servo of the STS series in position mode.

    Under an overload it does not let go: it goes on with a fifth of its torque, until the torque
    is switched off.
    """

    _overloaded = False
    _actual_rad = math.pi

    def restart(self) -> None:
        """Lose what is not kept without power; the torque limit is that of EEPROM then."""
        super().restart()
        self._overloaded = False
        self.set_count("torque_limit", self.count("torque_max"))

    def refusal(self, counts: Mapping[str, int]) -> int:
        """No write is refused: a locked memory takes it, and loses it with the power."""
        return 0

    def keeps_writes(self) -> bool:
        """Whether the memory is unlocked."""
        return self.count("lock") == 0

    def after_write(self, counts: Mapping[str, int]) -> None:
        """Set the middle where it was asked for, and forget an overload with the torque."""
        if "torque_enable" in counts:
            if counts["torque_enable"] == _SET_MIDDLE:
                self.set_count("torque_enable", 0)
                ahead = (round(self._actual_rad / STEP_RAD) - _MIDDLE) % STEPS_PER_TURN
                offset = ahead if ahead < _MIDDLE else ahead - STEPS_PER_TURN
                # Half a turn has no place in the register.
                self.set_count("offset", max(offset, 1 - _MIDDLE))
            if self.count("torque_enable") == 0:
                self._overloaded = False
        self.set_count("status", self.status())

    def pass_time(self, step_s: float) -> None:
        """Nothing: such a servo has no watchdog."""

    def status(self) -> int:
        """The alarms of this moment: supply, temperature, overload."""
        volts = self.count("present_voltage")
        status = _OVERLOAD if self._overloaded else 0
        if not self.count("voltage_min") <= volts <= self.count("voltage_max"):
            status |= _VOLTAGE
        if self.count("present_temperature") > self.count("temperature_max"):
            status |= _TEMPERATURE
        return status

    def overload(self) -> None:
        """Meet a load that is too much for too long."""
        self._overloaded = True

    def drive(self) -> Drive:
        """Go to the goal within the bounds of speed and acceleration, of which 0 is none."""
        hot = self.status() & self.count("unloading_condition") & _TEMPERATURE
        if self.count("torque_enable") != 1 or hot:
            return Drive(None)
        low, high = self.value("angle_min"), self.value("angle_max")
        offset = self.value("offset")
        torque = self.value("overload_torque" if self._overloaded else "torque_limit")
        return Drive(
            max(low, min(self.value("goal_position"), high)) + offset,
            self.value("goal_speed") or math.inf,
            self.value("acceleration") or math.inf,
            torque,
        )

    def sense(self, shaft: Shaft) -> None:
        """Measure where its shaft is."""
        self._actual_rad = shaft.position_rad
        steps = round(shaft.position_rad / STEP_RAD) - self.count("offset")
        self.set_count("present_position", steps % STEPS_PER_TURN)
        self.set_value("present_speed", shaft.velocity_rad_s)
        self.set_value("present_load", shaft.load)
        self.set_value("present_current", abs(shaft.load))
        self.set_count("moving", int(abs(shaft.velocity_rad_s) > STEP_RAD))
        self.set_count("status", self.status())


class FeetechFamily:
    """Servos of the STS series on a bus, as `families.ServoFamily` describes them."""

    def servo(self, model: ServoModel, servo_id: int) -> EmulatedServo:
        """A new servo."""
        return FeetechServo(model, servo_id)

    def requests(self, stream: bytes) -> Scan:
        """The requests in bytes to which more may come."""
        return scan(stream, more_to_come=True)

    def replies(self, request: Packet, servos: Mapping[int, EmulatedServo]) -> list[Reply]:
        """What the servos that are there answer to a packet, in the order in which they do."""
        data = request.data
        if request.code == SYNC_READ and len(data) > 1:
            asked = [servos[each] for each in data[2:] if each in servos]
            return [_reply(each, each.read(data[0], data[1])) for each in asked]
        if request.code == SYNC_WRITE and len(data) > 1:
            for start in range(2, len(data), data[1] + 1):
                if servo := servos.get(data[start]):
                    servo.write(data[0], data[start + 1 : start + 1 + data[1]])
            return []
        if request.id == BROADCAST:
            answers = [reply for servo in servos.values() for reply in _obey(request, servo)]
            # To all, only a ping is answered.
            return answers if request.code == PING else []
        one = servos.get(request.id)
        return _obey(request, one) if one else []


def _obey(request: Packet, servo: EmulatedServo) -> list[Reply]:
    """Do what a packet asks of one servo, and answer."""
    data, servo_id = request.data, servo.id
    if request.code == PING:
        return [_reply(servo)]
    if request.code == READ and len(data) == 2:
        return [_reply(servo, servo.read(data[0], data[1]))]
    if request.code == WRITE and len(data) > 1:
        servo.write(data[0], data[1:])
    elif request.code == REG_WRITE and len(data) > 1:
        servo.register_write(data[0], data[1:])
    elif request.code == ACTION:
        servo.act()
    else:
        return []
    if not servo.count("response_level"):
        return []
    # It answers by the id under which it was asked, even where that has just changed.
    return [Reply(servo_id, frame(servo_id, servo.status()))]


def _reply(servo: EmulatedServo, data: bytes = b"") -> Reply:
    return Reply(servo.id, frame(servo.id, servo.status(), data))
