"""Serial ports without a system behind them, whose servos answer after a delay by one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.servos import bus_line, servo_bus
from robot_learning.servos.bus_line import BusLine
from robot_learning.servos.emulator.emulated_servo import EmulatedServo
from robot_learning.servos.emulator.families import ServoFamily


class ScriptedTime:
    """Stands for `time` and `select` in the bus: it jumps to what comes next.

    Attributes:
        now_ns: time on the monotonic clock.
        log: what was done on the ports, in its order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = NS_PER_S
        self.log: list[str] = []
        monkeypatch.setattr(bus_line, "time", self)
        monkeypatch.setattr(servo_bus, "time", self)
        monkeypatch.setattr(bus_line, "select", self.select)
        monkeypatch.setattr(bus_line, "wait_until", self.wait_until)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wait_until(self, time_ns: int) -> None:
        self.now_ns = max(self.now_ns, time_ns)

    def select(
        self, lines: Sequence[BusLine], _write: object, _errors: object, left_s: float
    ) -> tuple[list[BusLine], list[object], list[object]]:
        self.log.append("wait")
        deadline_ns = self.now_ns + int(left_s * NS_PER_S) + (left_s > 0)
        next_ns = min((line.port.next_ns for line in lines), default=deadline_ns)
        self.wait_until(min(next_ns, deadline_ns))
        return [line for line in lines if line.port.next_ns <= self.now_ns], [], []


class ScriptedPort:
    """A port behind which servos answer after a delay.

    Attributes:
        delay_s: seconds until a reply is there.
        spoil: makes of the replies to one request those that come.
    """

    path = Path("/dev/scripted")
    baud_rate = 1_000_000

    def __init__(
        self,
        time: ScriptedTime,
        family: ServoFamily,
        servos: Mapping[int, EmulatedServo],
        name: str = "port",
    ) -> None:
        self.delay_s = 0.0
        self.spoil: Callable[[list[bytes]], list[bytes]] = lambda frames: frames
        self._time, self._family, self._servos, self._name = time, family, servos, name
        self._coming: list[tuple[int, bytes]] = []

    @property
    def next_ns(self) -> float:
        """When the next bytes are there."""
        return self._coming[0][0] if self._coming else float("inf")

    def write(self, data: bytes) -> None:
        self._time.log.append(f"write {self._name}")
        due_ns = self._time.now_ns + seconds_to_ns(self.delay_s)
        for request in self._family.requests(data).packets:
            replies = self._family.replies(request, self._servos)
            frames = self.spoil([reply.frame for reply in replies])
            self._coming += [(due_ns, frame) for frame in frames]

    def read(self) -> bytes:
        data = b""
        while self.next_ns <= self._time.now_ns:
            data += self._coming.pop(0)[1]
        return data
