"""Emulated servos as the tests have them, and a bus on their port."""

from __future__ import annotations

from robot_learning.servos.bus_motor import BusMotor
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.models.feetech import STS3215
from robot_learning.servos.models.servo_model import ServoModel
from robot_learning.servos.servo_bus import ServoBus
from robot_learning.servos.wire.serial_port import SerialPort

BAUD_RATE = 1_000_000


def emulated(count: int = 6, model: ServoModel = STS3215) -> ServoEmulator:
    """An emulator of that many servos, with the ids from 1 on."""
    return ServoEmulator(dict.fromkeys(range(1, count + 1), model))


def bus_of(emulator: ServoEmulator) -> ServoBus:
    """A bus of all the emulator's servos, `joint1` and so on."""
    motors = [
        BusMotor(
            name=f"joint{servo_id}",
            id=servo_id,
            model=servo.model,
            speed_max_rad_s=2.0,
            acceleration_max_rad_s2=10.0,
        )
        for servo_id, servo in emulator.servos.items()
    ]
    return ServoBus(SerialPort(emulator.path, BAUD_RATE), motors)
