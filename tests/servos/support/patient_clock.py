"""A bus whose deadlines pass when the emulator has said all that it will, not by the clock.

So a test's outcome is a matter of order: a busy machine makes it slower, and nothing else.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

import pytest

from robot_learning.core.clocks import NS_PER_S
from robot_learning.servos import bus_line, servo_bus
from robot_learning.servos.bus_line import BusLine
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.wire.serial_port import SerialPort

GRACE_S = 0.03
"""For the system, which hands bytes from one end of a terminal to the other."""
ROUNDS = 1000


class PatientClock:
    """Stands for `time` and `select` in the bus: time passes only while nobody says anything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._emulators: list[ServoEmulator] = []
        self._now_ns = time.monotonic_ns()
        self._written = 0
        write = SerialPort.write

        def counted(port: SerialPort, data: bytes) -> None:
            write(port, data)
            self._written += len(data)

        monkeypatch.setattr(SerialPort, "write", counted)
        monkeypatch.setattr(bus_line, "time", self)
        monkeypatch.setattr(servo_bus, "time", self)
        monkeypatch.setattr(bus_line, "select", self.select)
        monkeypatch.setattr(bus_line, "wait_until", lambda time_ns: None)

    def watch(self, emulator: ServoEmulator) -> None:
        """Wait for this emulator, too; all that is written from now on goes to those watched."""
        self._emulators.append(emulator)

    def monotonic_ns(self) -> int:
        return self._now_ns

    def select(
        self, lines: Sequence[BusLine], _write: object, _errors: object, left_s: float
    ) -> tuple[list[BusLine], list[object], list[object]]:
        """What is ready; nothing, and the time is over, when all has been said."""
        if left_s <= 0.0:
            return select.select(lines, [], [], 0.0)
        for _ in range(ROUNDS):
            said_all = self._said_all()
            ready = select.select(lines, [], [], GRACE_S)[0]
            if ready:
                return ready, [], []
            if said_all:
                self._now_ns += int(left_s * NS_PER_S) + 1
                return [], [], []
        raise TimeoutError("the emulator does not hear what is sent to it")

    def _said_all(self) -> bool:
        heard = sum(emulator.heard_bytes for emulator in self._emulators)
        return heard >= self._written and not any(each.is_answering for each in self._emulators)
