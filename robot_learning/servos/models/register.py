"""Registers: where a value stands in a servo's memory, how it is coded, and its SI unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

Access = Literal["saved", "live", "read"]


@dataclass(frozen=True, slots=True)
class Register:
    """One value in a servo's memory.

    Attributes:
        address: address of its first byte.
        name: name of the value, the same in all models that have it.
        factory: count that a new servo has.
        unit: SI unit of the value; empty for choices, flags and plain numbers.
        scale: value of one count, in that unit.
        size: number of bytes, 1, 2 or 4, the lowest first.
        access: `saved` in EEPROM, `live` in RAM, or only to `read`.
        sign_bit: bit that makes a magnitude negative; None where negative counts are written
            as two's complement, or where there are none.
        signed: whether counts without a sign bit are two's complement.
    """

    address: int
    name: str
    factory: int = 0
    unit: str = ""
    scale: float = 1.0
    _: KW_ONLY
    size: int = 1
    access: Access = "saved"
    sign_bit: int | None = None
    signed: bool = False

    @property
    def end(self) -> int:
        """The address behind its last byte."""
        return self.address + self.size

    @property
    def count_range(self) -> tuple[int, int]:
        """The lowest and the highest count that can be written."""
        if self.sign_bit is not None:
            return 1 - (1 << self.sign_bit), (1 << self.sign_bit) - 1
        bits = 8 * self.size
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)

    def encode(self, count: int) -> bytes:
        """The bytes of a count.

        Raises:
            ValueError: The count does not fit; the text says what does.
        """
        low, high = self.count_range
        if not low <= count <= high:
            raise ValueError(f"{self.name}: {count} is outside {low} to {high}")
        if self.sign_bit is not None and count < 0:
            count = -count | 1 << self.sign_bit
        return count.to_bytes(self.size, "little", signed=self.signed)

    def decode(self, data: bytes) -> int:
        """The count that these bytes are."""
        count = int.from_bytes(data, "little", signed=self.signed)
        if self.sign_bit is not None:
            count = from_sign_bit(count, self.sign_bit)
        return count

    def to_count(self, value: float) -> int:
        """The count nearest to a value in the register's unit."""
        return round(value / self.scale)

    def to_value(self, count: int) -> float:
        """A count in the register's unit."""
        return count * self.scale


def from_sign_bit(raw: int, bit: int) -> int:
    """The number that is written as a magnitude with a bit for its sign.

    Bits above that one are no part of it, whatever another program has written there.

    >>> from_sign_bit(5, 15), from_sign_bit(0x8005, 15), from_sign_bit(0xFFFB, 11)
    (5, -5, -2043)
    """
    magnitude = raw & (1 << bit) - 1
    return -magnitude if raw >> bit & 1 else magnitude


def by_name(registers: Iterable[Register]) -> Mapping[str, Register]:
    """The registers under their names, in the order of their addresses."""
    return {each.name: each for each in sorted(registers, key=lambda each: each.address)}
