"""One model of servo: its registers, and what a bus reads and writes of it in every cycle."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Flag, auto
from typing import ClassVar, NamedTuple

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.servos.models.register import Register
from robot_learning.servos.wire.protocol import WireProtocol


class Alarm(Flag):
    """What a servo reports to be wrong with itself."""

    NONE = 0
    VOLTAGE = auto()
    ENCODER = auto()
    TEMPERATURE = auto()
    CURRENT = auto()
    ANGLE = auto()
    OVERLOAD = auto()
    SHOCK = auto()
    UNKNOWN = auto()


NO_ALARM = Alarm.NONE
"""The same, at hand: looking it up in the class takes longer than the rest of a healthy reply."""


class Feedback(NamedTuple):
    """What a servo measures.

    Attributes:
        position_rad: angle of the shaft on the servo's own scale.
        velocity_rad_s: its speed.
        current_a: motor current; NaN where the model measures only the load.
        load: share of the largest torque, -1 to 1; NaN where the model measures the current.
        voltage_v: supply voltage at the servo.
        temperature_c: temperature inside, in °C.
    """

    position_rad: float
    velocity_rad_s: float
    current_a: float
    load: float
    voltage_v: float
    temperature_c: float


class ServoModel(ABC):
    """A model of servo.

    Attributes:
        name: name in profiles, such as `sts3215`.
        number: model number that the servo itself reports.
        protocol: frames that it understands.
        registers: registers by name.
        feedback_address: address of the block that holds all that is measured.
        feedback_size: number of its bytes.
        goal_address: address of the block of a goal with its bounds.
        lead_bytes: number of bytes before the feedback that may be read with it.
        alarm_register: register that tells what is wrong; None where every reply does.
        position_modes: counts of the register `mode` in which it goes to positions -> whether it
            counts turns in that mode.
        torque_register: register that limits the torque, whose factory count is all of it.
    """

    name: str
    number: int
    protocol: WireProtocol
    registers: Mapping[str, Register]
    feedback_address: int
    feedback_size: int
    goal_address: int
    lead_bytes: int
    alarm_register: str | None = None
    position_modes: ClassVar[Mapping[int, bool]]
    torque_register: str

    @abstractmethod
    def feedback(self, data: bytes) -> Feedback:
        """What the `feedback_size` bytes of the feedback block say."""

    @abstractmethod
    def goal(self, position_rad: float, speed_rad_s: float, acceleration_rad_s2: float) -> bytes:
        """The bytes of the goal's block.

        Args:
            position_rad: where the shaft is to go, on the servo's own scale.
            speed_rad_s: largest speed on the way, above 0.
            acceleration_rad_s2: largest acceleration, above 0.

        Raises:
            ValueError: The position is out of the servo's range; the text gives the range.
        """

    @abstractmethod
    def alarms(self, status: int) -> Alarm:
        """What the error field of a reply says to be wrong with the servo.

        `UNKNOWN` is something that only `alarm_register` tells, where there is one.
        """

    @abstractmethod
    def alarms_told(self, count: int) -> Alarm:
        """What the count of `alarm_register` says."""

    @abstractmethod
    def refusal(self, status: int) -> str:
        """Why a write was not obeyed, by the error field of its reply; empty where it was."""

    def torque_share(self, feedback: Feedback) -> float:
        """The share of its largest torque that a servo uses, 0 to 1, by what it measures."""
        if not math.isnan(feedback.load):
            return abs(feedback.load)
        limit = self.register("current_limit")
        return abs(feedback.current_a) / limit.to_value(limit.factory)

    def register(self, name: str) -> Register:
        """The register of that name.

        Raises:
            ConfigurationError: The model has none; the text lists what it has.
        """
        try:
            return self.registers[name]
        except KeyError:
            kind = f"register of a {self.name}"
            raise ConfigurationError(unknown_choice(kind, name, self.registers)) from None


def bounded_count(register: Register, value: float) -> int:
    """The count of a bound: never 0, which servos take for no bound, and never too large."""
    return max(1, min(register.to_count(value), register.count_range[1]))


def alarms_of_bits(status: int, meanings: tuple[Alarm, ...]) -> Alarm:
    """The alarms whose bits are set, the lowest bit first; a bit without meaning is `UNKNOWN`.

    >>> alarms_of_bits(0b01, (Alarm.VOLTAGE,)), alarms_of_bits(0b10, (Alarm.VOLTAGE,))
    (<Alarm.VOLTAGE: 1>, <Alarm.UNKNOWN: 128>)
    """
    alarms = Alarm.NONE
    for bit in range(8):
        if status >> bit & 1:
            alarms |= meanings[bit] if bit < len(meanings) else Alarm.UNKNOWN
    return alarms
