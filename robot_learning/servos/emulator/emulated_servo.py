"""One emulated servo: its memory, what of it is kept without power, and what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache

from robot_learning.servos.emulator.shafts import Drive, Shaft
from robot_learning.servos.models.register import Register
from robot_learning.servos.models.servo_model import ServoModel

MEMORY_BYTES = 256


class EmulatedServo(ABC):
    """A servo that obeys writes to its memory.

    Attributes:
        model: model of servo.
        memory: bytes that it answers with, by address.
        eeprom_writes: number of writes that went into the memory that is kept without power.
        torque_writes: values written to `torque_enable`, in their order.
    """

    def __init__(self, model: ServoModel, servo_id: int) -> None:
        self.model = model
        self.memory = bytearray(MEMORY_BYTES)
        self.eeprom_writes = 0
        self.torque_writes: list[int] = []
        # What the memory holds, decoded once for the many that ask.
        self._counts: dict[str, int] = {}
        for register in model.registers.values():
            self.set_count(register.name, register.factory)
        self.set_count("id", servo_id)
        self._registered: tuple[int, bytes] | None = None
        self._saved = {name: self.count(name) for name in self._names("saved")}

    def _names(self, access: str) -> list[str]:
        return [each.name for each in self.model.registers.values() if each.access == access]

    @property
    def id(self) -> int:
        """The id that it answers to."""
        return self._counts["id"]

    def count(self, name: str) -> int:
        """The count in a register."""
        return self._counts[name]

    def value(self, name: str) -> float:
        """A register in its SI unit."""
        return self.model.registers[name].to_value(self._counts[name])

    def set_count(self, name: str, count: int) -> None:
        """Put a count into a register, whatever the servo itself would say to it."""
        if self._counts.get(name) != count:
            register = self.model.registers[name]
            self.memory[register.address : register.end] = register.encode(count)
            self._counts[name] = count

    def set_value(self, name: str, value: float) -> None:
        """Put a value in SI units into a register, as near as it can be written there."""
        register = self.model.registers[name]
        low, high = register.count_range
        self.set_count(name, max(low, min(register.to_count(value), high)))

    def restart(self) -> None:
        """Lose what is not kept without power, as in a brown-out; the torque is off then."""
        for name in self._names("live"):
            self.set_count(name, self.model.registers[name].factory)
        for name, count in self._saved.items():
            self.set_count(name, count)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the memory; zeros where it ends."""
        data = bytes(self.memory[address : address + size])
        return data + bytes(size - len(data))

    def write(self, address: int, data: bytes) -> int:
        """Obey a write.

        Returns:
            The error that the reply tells of; 0 where there is none.
        """
        counts = self._counts_after(address, data)
        if error := self.refusal(counts):
            return error
        kept = self.keeps_writes()
        for name, count in counts.items():
            self.set_count(name, count)
            if kept and self.model.registers[name].access == "saved":
                self._saved[name] = count
                self.eeprom_writes += 1
        if "torque_enable" in counts:
            self.torque_writes.append(counts["torque_enable"])
        self.after_write(counts)
        return 0

    def _counts_after(self, address: int, data: bytes) -> dict[str, int]:
        """What the registers that can be written would hold after a write."""
        memory = bytearray(self.memory)
        memory[address : address + len(data)] = data
        return {
            each.name: each.decode(bytes(memory[each.address : each.end]))
            for each in _written(self.model, address, len(data))
        }

    def register_write(self, address: int, data: bytes) -> None:
        """Keep a write until `act`."""
        self._registered = (address, data)

    def act(self) -> None:
        """Obey the write that was kept, if there is one."""
        if self._registered is not None:
            self.write(*self._registered)
            self._registered = None

    @abstractmethod
    def refusal(self, counts: Mapping[str, int]) -> int:
        """The error with which a write is refused; 0 where it is obeyed.

        Args:
            counts: what it would make of the registers, by their names.
        """

    @abstractmethod
    def keeps_writes(self) -> bool:
        """Whether what is written to EEPROM now is kept without power."""

    @abstractmethod
    def after_write(self, counts: Mapping[str, int]) -> None:
        """Do what writing these counts into the registers brings about."""

    @abstractmethod
    def pass_time(self, step_s: float) -> None:
        """Let time pass in which no packet came."""

    @abstractmethod
    def status(self) -> int:
        """The bits that every reply carries in its error field."""

    @abstractmethod
    def overload(self) -> None:
        """Meet a load that is too much for too long."""

    @abstractmethod
    def drive(self) -> Drive:
        """What it does to its shaft."""

    @abstractmethod
    def sense(self, shaft: Shaft) -> None:
        """Measure where its shaft is."""


@lru_cache
def _written(model: ServoModel, address: int, size: int) -> tuple[Register, ...]:
    """The registers that a write of that many bytes there touches, of those that can be written."""
    return tuple(
        each
        for each in model.registers.values()
        if each.access != "read" and address < each.end and each.address < address + size
    )
