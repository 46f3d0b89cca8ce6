"""Dynamixel's X series, by the control tables of its e-manual."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
from robot_learning.servos.wire.dynamixel import DYNAMIXEL

STEP_RAD = 2.0 * math.pi / 4096
SPEED_RAD_S = 0.229 * 2.0 * math.pi / 60.0
"""Speed of one count: 0.229 turns a minute."""
ACCELERATION_RAD_S2 = 214.577 * 2.0 * math.pi / 3600.0
"""Acceleration of one count: 214.577 turns a minute, each minute."""
POSITION_MODE = 3
TURNS_MODE = 4
CURRENT_POSITION_MODE = 5
NO_SECONDARY_ID = 255
WATCHDOG_S = 0.02
"""Silence of one count of the bus watchdog."""
MOST_STEPS = 1_048_575
"""Of a goal in the modes that count turns, in either direction."""
BAUD_RATES = (9_600, 57_600, 115_200, 1_000_000, 2_000_000, 3_000_000, 4_000_000)
"""By the count of the register `baud_rate`."""
ALERT = 0x80
"""Bit of a reply's error field: `hardware_error_status` is not 0."""
ERROR_BITS = (
    *(Alarm.VOLTAGE, Alarm.UNKNOWN, Alarm.TEMPERATURE),
    *(Alarm.ENCODER, Alarm.SHOCK, Alarm.OVERLOAD),
)
REFUSALS: Mapping[int, str] = {
    1: "the packet could not be processed",
    2: "the instruction is unknown",
    3: "the packet was damaged",
    4: "the value is out of range, or the bus watchdog has tripped",
    5: "the data is too short",
    6: "the value is outside the limits that are set",
    7: "the register is read only, or locked while the torque is on",
}
"""What the number in a reply's error field means."""
# Current or load, speed, position; two trajectories; voltage, temperature.
_FEEDBACK = Struct("<hii8xHB")
# Acceleration, speed, position.
_GOAL = Struct("<IIi")


@dataclass(frozen=True)
class Kind:
    """What differs among the models.

    Attributes:
        current_a: current of one count; NaN where the model measures only the load.
        temperature_max_c: limit of a new servo.
        voltage_max: limit of a new servo, 0.1 V.
        voltage_min: limit of a new servo, 0.1 V.
        current_max: limit of a new servo, in counts.
        speed_max: limit of a new servo, in counts.
    """

    current_a: float
    temperature_max_c: int = 80
    voltage_max: int = 160
    voltage_min: int = 95
    current_max: int = 1193
    speed_max: int = 200


_SMALL = Kind(0.001, 70, 70, 35, 1750, 445)
_SMALL_SLOW = Kind(0.001, 70, 140, 55, 910, 320)
_SMALL_FAST = Kind(0.001, 70, 140, 55, 910, 510)
_LOAD_ONLY = Kind(math.nan, 72, 140, 60, 0, 265)
_METAL = Kind(0.00269)
_STRONG = Kind(0.00269, 80, 160, 100, 2047, 128)


def _registers(kind: Kind, number: int) -> Mapping[str, Register]:
    load_only = math.isnan(kind.current_a)
    force, unit = (0.001, "") if load_only else (kind.current_a, "A")
    volts = (kind.voltage_max + kind.voltage_min) // 2
    return by_name(
        [
            Register(0, "model_number", number, size=2, access="read"),
            Register(6, "firmware", 46, access="read"),
            Register(7, "id", 1),
            Register(8, "baud_rate", 1),
            Register(9, "return_delay", 250, "s", 2e-6),
            Register(10, "drive_mode"),
            Register(11, "mode", POSITION_MODE),
            Register(12, "secondary_id", NO_SECONDARY_ID),
            Register(20, "offset", 0, "rad", STEP_RAD, size=4, signed=True),
            Register(24, "moving_threshold", 10, "rad/s", SPEED_RAD_S, size=4),
            Register(31, "temperature_max", kind.temperature_max_c, "°C"),
            Register(32, "voltage_max", kind.voltage_max, "V", 0.1, size=2),
            Register(34, "voltage_min", kind.voltage_min, "V", 0.1, size=2),
            Register(36, "pwm_limit", 885, "", 0.00113, size=2),
            Register(38, "current_limit", kind.current_max, unit, force, size=2),
            Register(44, "speed_limit", kind.speed_max, "rad/s", SPEED_RAD_S, size=4),
            Register(48, "angle_max", 4095, "rad", STEP_RAD, size=4),
            Register(52, "angle_min", 0, "rad", STEP_RAD, size=4),
            Register(60, "startup"),
            Register(63, "shutdown", 0b110100),
            Register(64, "torque_enable", access="live"),
            Register(65, "led", access="live"),
            Register(68, "response_level", 2, access="live"),
            Register(69, "registered_write", access="read"),
            Register(70, "hardware_error_status", access="read"),
            Register(76, "speed_i", 1600, size=2, access="live"),
            Register(78, "speed_p", 180, size=2, access="live"),
            Register(80, "position_d", size=2, access="live"),
            Register(82, "position_i", size=2, access="live"),
            Register(84, "position_p", 400, size=2, access="live"),
            Register(88, "feedforward_2", size=2, access="live"),
            Register(90, "feedforward_1", size=2, access="live"),
            Register(98, "watchdog", 0, "s", WATCHDOG_S, access="live", signed=True),
            Register(100, "goal_pwm", 885, "", 0.00113, size=2, access="live", signed=True),
            Register(
                102,
                "goal_current",
                kind.current_max,
                unit,
                force,
                size=2,
                access="live",
                signed=True,
            ),
            Register(
                104, "goal_speed", 0, "rad/s", SPEED_RAD_S, size=4, access="live", signed=True
            ),
            Register(108, "acceleration", 0, "rad/s²", ACCELERATION_RAD_S2, size=4, access="live"),
            Register(112, "profile_speed", 0, "rad/s", SPEED_RAD_S, size=4, access="live"),
            Register(116, "goal_position", 0, "rad", STEP_RAD, size=4, access="live", signed=True),
            Register(120, "tick", 0, "s", 0.001, size=2, access="read"),
            Register(122, "moving", access="read"),
            Register(123, "moving_status", access="read"),
            Register(124, "present_pwm", 0, "", 0.00113, size=2, access="read", signed=True),
            Register(
                126,
                "present_load" if load_only else "present_current",
                0,
                unit,
                force,
                size=2,
                access="read",
                signed=True,
            ),
            Register(
                128, "present_speed", 0, "rad/s", SPEED_RAD_S, size=4, access="read", signed=True
            ),
            Register(
                132, "present_position", 0, "rad", STEP_RAD, size=4, access="read", signed=True
            ),
            Register(144, "present_voltage", volts, "V", 0.1, size=2, access="read"),
            Register(146, "present_temperature", 30, "°C", access="read"),
        ]
    )


class DynamixelModel(ServoModel):
    """A servo of the X series in a mode that goes to positions.

    The error field of a reply says only that something is wrong; `hardware_error_status` says what.
    """

    protocol = DYNAMIXEL
    feedback_address = 126
    feedback_size = _FEEDBACK.size
    goal_address = 108
    lead_bytes = 10
    alarm_register = "hardware_error_status"
    position_modes: ClassVar[Mapping[int, bool]] = {
        POSITION_MODE: False,
        TURNS_MODE: True,
        CURRENT_POSITION_MODE: True,
    }
    # The goal of the current would limit it in one of these modes alone.
    torque_register = "goal_pwm"

    def __init__(self, name: str, number: int, kind: Kind) -> None:
        self.name = name
        self.number = number
        self.registers = _registers(kind, number)
        self._current_a = kind.current_a
        self._load = 0.001 if math.isnan(kind.current_a) else math.nan

    def feedback(self, data: bytes) -> Feedback:
        """What the 21 bytes from the present current to the present temperature say."""
        force, speed, position, voltage, temperature = _FEEDBACK.unpack(data)
        return Feedback(
            position * STEP_RAD,
            speed * SPEED_RAD_S,
            force * self._current_a,
            force * self._load,
            voltage * 0.1,
            float(temperature),
        )

    def goal(self, position_rad: float, speed_rad_s: float, acceleration_rad_s2: float) -> bytes:
        """The 12 bytes from the acceleration to the goal.

        Args:
            position_rad: where the shaft is to go, on the servo's own scale; in the mode that
                counts no turns the servo itself ignores what its limits do not allow.
            speed_rad_s: largest speed on the way, above 0.
            acceleration_rad_s2: largest acceleration, above 0.

        Raises:
            ValueError: The position is more turns away than any mode counts.
        """
        steps = round(position_rad / STEP_RAD)
        if not -MOST_STEPS <= steps <= MOST_STEPS:
            most = MOST_STEPS * STEP_RAD
            raise ValueError(f"{position_rad:.4f} rad is outside -{most:.0f} to {most:.0f} rad")
        acceleration, speed = _bounds(acceleration_rad_s2, speed_rad_s)
        return _GOAL.pack(acceleration, speed, steps)

    def alarms(self, status: int) -> Alarm:
        """Whether the error field of a reply says that something is wrong."""
        return Alarm.UNKNOWN if status & ALERT else NO_ALARM

    def alarms_told(self, count: int) -> Alarm:
        """What `hardware_error_status` says to be wrong."""
        return alarms_of_bits(count, ERROR_BITS)

    def refusal(self, status: int) -> str:
        """Why a write was not obeyed, by the error field of its reply; empty where it was."""
        number = status & ~ALERT
        return REFUSALS.get(number, f"error {number}") if number else ""


@lru_cache
def _bounds(acceleration_rad_s2: float, speed_rad_s: float) -> tuple[int, int]:
    """The counts of both bounds; 32767 is where both registers end."""
    registers = XL330_M288.registers
    counts = (
        bounded_count(registers["acceleration"], acceleration_rad_s2),
        bounded_count(registers["profile_speed"], speed_rad_s),
    )
    return min(counts[0], 32767), min(counts[1], 32767)


XL330_M288 = DynamixelModel("xl330-m288", 1200, _SMALL)
X_SERIES = (
    DynamixelModel("xl330-m077", 1190, _SMALL),
    XL330_M288,
    DynamixelModel("xc330-t181", 1210, _SMALL_FAST),
    DynamixelModel("xc330-t288", 1220, _SMALL_SLOW),
    DynamixelModel("xl430-w250", 1060, _LOAD_ONLY),
    DynamixelModel("xc430-w150", 1070, _LOAD_ONLY),
    DynamixelModel("xm430-w350", 1020, _METAL),
    DynamixelModel("xm540-w270", 1120, _STRONG),
    DynamixelModel("xh540-w150", 1110, _STRONG),
)
