"""Settings that a servo keeps without power: compared first, and written only where they differ."""

from __future__ import annotations

from robot_learning.core.errors import CommandError, RobotConnectionError
from robot_learning.servos.servo_bus import ServoBus

UNHEARD = ("id", "baud_rate", "response_level")
"""Registers after whose change a servo does not answer this bus as before."""


def change_setting(bus: ServoBus, name: str, register: str, count: int) -> bool:
    """Make a servo's setting what it is to be, and read it back.

    A memory that wears out is written only where it differs, and is closed again afterwards,
    whatever happens.

    Args:
        bus: bus of the servo.
        name: name of the motor.
        register: name of the register.
        count: count that it is to have.

    Returns:
        Whether it was written.

    Raises:
        CommandError: The motor is unknown, the count does not fit the register, or it is one of
            `UNHEARD`; nothing was sent.
        ConfigurationError: The model has no such register.
        RobotConnectionError: The servo does not answer, or did not take it.
    """
    if register in UNHEARD:
        raise CommandError(
            f"{name}: {register} is not changed through a bus, which could not speak to the servo "
            "any more; change it with the vendor's program, with this servo alone on the cable"
        )
    bus.encode(name, register, count)
    if bus.read_counts(register, [name])[name] == count:
        return False
    model = bus.motors[name].model
    # Dynamixel has no such register: there, it is the torque that closes the memory.
    locked = "lock" in model.registers and model.register(register).access == "saved"
    try:
        if locked:
            bus.write_count(name, "lock", 0)
        bus.write_count(name, register, count)
    finally:
        if locked:
            bus.write_count(name, "lock", 1)
    found = bus.read_counts(register, [name])[name]
    if found != count:
        raise RobotConnectionError(
            f"{name}: {register} is {found} after {count} was written; settings need the torque off"
        )
    return True
