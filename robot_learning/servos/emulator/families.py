"""The families of servos that can be emulated, by the protocol that they speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from robot_learning.servos.emulator.dynamixel_servo import DynamixelFamily
from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.feetech_servo import FeetechFamily
from robot_learning.servos.emulator.reply import Reply
from robot_learning.servos.models.servo_model import ServoModel
from robot_learning.servos.wire.protocol import Packet, Scan


class ServoFamily(Protocol):
    """Servos that understand each other's packets."""

    def servo(self, model: ServoModel, servo_id: int) -> EmulatedServo:
        """A new servo."""
        ...

    def requests(self, stream: bytes) -> Scan:
        """The requests in bytes to which more may come."""
        ...

    def replies(self, request: Packet, servos: Mapping[int, EmulatedServo]) -> list[Reply]:
        """What the servos that are there answer to a packet, in the order in which they do."""
        ...


FAMILIES: Mapping[str, ServoFamily] = {
    "feetech": FeetechFamily(),
    "dynamixel": DynamixelFamily(),
}
