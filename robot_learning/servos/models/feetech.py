"""Feetech's bus servos: the STS3215, by its memory table V 3.6."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import ClassVar

from robot_learning.servos.models.register import Register, by_name
from robot_learning.servos.models.servo_model import (
    NO_ALARM,
    Alarm,
    Feedback,
    ServoModel,
    alarms_of_bits,
    bounded_count,
)
from robot_learning.servos.wire.feetech import FEETECH

STEPS_PER_TURN = 4096
STEP_RAD = 2.0 * math.pi / STEPS_PER_TURN
BAUD_RATES = (1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400)
"""By the count of the register `baud_rate`."""
STATUS_BITS = (
    *(Alarm.VOLTAGE, Alarm.ENCODER, Alarm.TEMPERATURE),
    *(Alarm.CURRENT, Alarm.ANGLE, Alarm.OVERLOAD),
)
_ACCELERATION_RAD_S2 = 100 * STEP_RAD
_CURRENT_A = 0.0065
_SIGN_BIT, _LOAD_SIGN_BIT = 15, 10
_SIGN, _LOAD_SIGN = 1 << _SIGN_BIT, 1 << _LOAD_SIGN_BIT
_LOAD = _LOAD_SIGN - 1
# Position, speed, load, voltage, temperature; three bytes of flags and two unused; current.
_FEEDBACK = Struct("<HHHBB5xH")
# Acceleration, position, time, speed.
_GOAL = Struct("<BHHH")


_STS_REGISTERS = by_name(
    [
        Register(0, "firmware_major", 3, access="read"),
        Register(1, "firmware_minor", 10, access="read"),
        Register(3, "model_number", 777, size=2, access="read"),
        Register(5, "id", 1),
        Register(6, "baud_rate"),
        Register(7, "return_delay", 0, "s", 2e-6),
        Register(8, "response_level", 1),
        Register(9, "angle_min", 0, "rad", STEP_RAD, size=2),
        Register(11, "angle_max", 4095, "rad", STEP_RAD, size=2),
        Register(13, "temperature_max", 70, "°C"),
        Register(14, "voltage_max", 80, "V", 0.1),
        Register(15, "voltage_min", 40, "V", 0.1),
        Register(16, "torque_max", 1000, "", 0.001, size=2),
        Register(18, "phase", 12),
        Register(19, "unloading_condition", 44),
        Register(20, "led_alarm", 47),
        Register(21, "position_p", 32),
        Register(22, "position_d", 32),
        Register(23, "position_i", 0),
        Register(24, "starting_torque", 16, "", 0.001, size=2),
        Register(26, "dead_zone_clockwise", 1, "rad", STEP_RAD),
        Register(27, "dead_zone_counterclockwise", 1, "rad", STEP_RAD),
        Register(28, "protection_current", 500, "A", _CURRENT_A, size=2),
        Register(30, "angular_resolution", 1),
        Register(31, "offset", 0, "rad", STEP_RAD, size=2, sign_bit=11),
        Register(33, "mode", 0),
        Register(34, "overload_torque", 20, "", 0.01),
        Register(35, "overload_time", 200, "s", 0.01),
        Register(36, "overload_threshold", 80, "", 0.01),
        Register(37, "speed_p", 10),
        Register(38, "overcurrent_time", 200, "s", 0.01),
        Register(39, "speed_i", 10),
        Register(40, "torque_enable", access="live"),
        Register(41, "acceleration", 0, "rad/s²", _ACCELERATION_RAD_S2, access="live"),
        Register(
            42, "goal_position", 0, "rad", STEP_RAD, size=2, access="live", sign_bit=_SIGN_BIT
        ),
        Register(44, "goal_time", 0, "s", 0.001, size=2, access="live"),
        Register(46, "goal_speed", 0, "rad/s", STEP_RAD, size=2, access="live", sign_bit=_SIGN_BIT),
        Register(48, "torque_limit", 1000, "", 0.001, size=2, access="live"),
        Register(55, "lock", 1, access="live"),
        Register(
            56, "present_position", 0, "rad", STEP_RAD, size=2, access="read", sign_bit=_SIGN_BIT
        ),
        Register(
            58, "present_speed", 0, "rad/s", STEP_RAD, size=2, access="read", sign_bit=_SIGN_BIT
        ),
        Register(60, "present_load", 0, "", 0.001, size=2, access="read", sign_bit=_LOAD_SIGN_BIT),
        Register(62, "present_voltage", 74, "V", 0.1, access="read"),
        Register(63, "present_temperature", 30, "°C", access="read"),
        Register(64, "registered_write", access="read"),
        Register(65, "status", access="read"),
        Register(66, "moving", access="read"),
        Register(
            69, "present_current", 0, "A", _CURRENT_A, size=2, access="read", sign_bit=_SIGN_BIT
        ),
    ]
)


class FeetechModel(ServoModel):
    """A servo of the STS series in position mode.

    Both the load and the current are measured. EEPROM takes writes for good while `lock` is 0.
    """

    protocol = FEETECH
    feedback_address = 56
    feedback_size = _FEEDBACK.size
    goal_address = 41
    lead_bytes = 16
    position_modes: ClassVar[Mapping[int, bool]] = {0: False}
    torque_register = "torque_limit"

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.registers = _STS_REGISTERS

    def feedback(self, data: bytes) -> Feedback:
        """What the 15 bytes from the present position to the present current say."""
        position, speed, load, voltage, temperature, current = _FEEDBACK.unpack(data)
        # A magnitude with a sign bit, written out: this runs for every servo in every cycle.
        return Feedback(
            (position if position < _SIGN else _SIGN - position) * STEP_RAD,
            (speed if speed < _SIGN else _SIGN - speed) * STEP_RAD,
            (current if current < _SIGN else _SIGN - current) * _CURRENT_A,
            (-(load & _LOAD) if load & _LOAD_SIGN else load & _LOAD) * 0.001,
            voltage * 0.1,
            float(temperature),
        )

    def goal(self, position_rad: float, speed_rad_s: float, acceleration_rad_s2: float) -> bytes:
        """The 7 bytes from the acceleration to the speed.

        Args:
            position_rad: where the shaft is to go, 0 to one turn on the servo's own scale.
            speed_rad_s: largest speed on the way, above 0.
            acceleration_rad_s2: largest acceleration, above 0.

        Raises:
            ValueError: The position is out of the turn.
        """
        steps = round(position_rad / STEP_RAD)
        if not 0 <= steps < STEPS_PER_TURN:
            most = (STEPS_PER_TURN - 1) * STEP_RAD
            raise ValueError(f"{position_rad:.4f} rad is outside 0 to {most:.4f} rad")
        acceleration, speed = _bounds(acceleration_rad_s2, speed_rad_s)
        return _GOAL.pack(acceleration, steps, 0, speed)

    def alarms(self, status: int) -> Alarm:
        """What the status byte of a reply says to be wrong."""
        return alarms_of_bits(status, STATUS_BITS) if status else NO_ALARM

    def alarms_told(self, count: int) -> Alarm:
        """The same of the register `status`."""
        return self.alarms(count)

    def refusal(self, status: int) -> str:
        """Nothing: such a servo obeys, or is silent."""
        return ""


@lru_cache
def _bounds(acceleration_rad_s2: float, speed_rad_s: float) -> tuple[int, int]:
    """The counts of both bounds; a motor has the same ones in every cycle."""
    # The register would take 255 as well, but the manual ends at 254.
    acceleration = min(bounded_count(_STS_REGISTERS["acceleration"], acceleration_rad_s2), 254)
    return acceleration, bounded_count(_STS_REGISTERS["goal_speed"], speed_rad_s)


STS3215 = FeetechModel("sts3215", 777)
