"""Requests and replies on one bus: what was asked, what has come, and what is believed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from select import select

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import RobotConnectionError
from robot_learning.servos.late_replies import LateReplies
from robot_learning.servos.wire.protocol import BITS_PER_BYTE, Packet, Scan, WireProtocol
from robot_learning.servos.wire.serial_port import SerialPort, wait_until

ATTEMPTS = 3
"""How often a register is asked for or written, until a servo counts as silent."""


class BusLine:
    """The bus behind a serial port, one request at a time.

    Attributes:
        port: serial port.
        protocol: frames that the servos understand.
        late: replies that have not come and still may.
        corrupt: number of frames that were cut short or whose checksum was wrong.
        late_count: number of replies of each servo, by its id, that came after their time.
    """

    def __init__(self, port: SerialPort, protocol: WireProtocol) -> None:
        self.port = port
        self.protocol = protocol
        self.late = LateReplies()
        self.corrupt = 0
        self.late_count: dict[int, int] = {}
        self._byte_ns = BITS_PER_BYTE * NS_PER_S // port.baud_rate
        self._idle_at_ns = 0
        self._asked: Sequence[int] = ()
        self._size = 0
        self._received = bytearray()
        self._whole_bytes = 0
        self._found = Scan()
        self._answers: dict[int, Packet] = {}

    def send(self, request: bytes) -> None:
        """Send what nobody answers.

        Raises:
            RobotConnectionError: The port is gone.
        """
        start_ns = max(time.monotonic_ns(), self._idle_at_ns)
        self.port.write(request)
        self._idle_at_ns = start_ns + len(request) * self._byte_ns

    def ask(self, servo_ids: Sequence[int], size: int, request: bytes) -> None:
        """Send a request.

        Args:
            servo_ids: servos that are to answer, in this order.
            size: number of data bytes in each answer.
            request: bytes to send.

        Raises:
            RobotConnectionError: The port is gone.
        """
        self.drop_input()
        self.send(request)
        self._asked, self._size = servo_ids, size
        self._received.clear()
        self._found = Scan()
        self._answers = {}
        self._whole_bytes = len(servo_ids) * self.reply_bytes(size)

    def ask_each(self, servo_ids: Sequence[int], address: int, size: int) -> None:
        """Ask several servos for the same bytes of their memory.

        Args:
            servo_ids: servos that are to answer, in this order.
            address: address of the first byte.
            size: number of bytes.

        Raises:
            RobotConnectionError: The port is gone.
        """
        self.ask(servo_ids, size, self.protocol.sync_read(servo_ids, address, size))

    def fileno(self) -> int:
        """The file descriptor of the port, for `select`."""
        return self.port.fileno()

    def reply_bytes(self, size: int) -> int:
        """How many bytes a reply with that much data is."""
        return self.protocol.reply_overhead + size

    @property
    def whole_at_ns(self) -> int:
        """When the answers can be whole at the earliest, on the monotonic clock."""
        return self._idle_at_ns + self._whole_bytes * self._byte_ns

    def sampled_at_ns(self) -> dict[int, int]:
        """When each servo that was asked measured what it answers, by its id.

        It is when the request had reached all of them and those before it had answered, without
        any delay of the adapter: never later than it really was.
        """
        each_ns = self.reply_bytes(self._size) * self._byte_ns
        first_ns = self._idle_at_ns
        return {key: first_ns + place * each_ns for place, key in enumerate(self._asked)}

    def receive(self) -> bool:
        """Take what has come; whether all who were asked have answered.

        Raises:
            RobotConnectionError: The port is gone.
        """
        self._received += self.port.read()
        if len(self._received) < self._whole_bytes:
            return False
        self._found = self.protocol.scan_replies(bytes(self._received))
        self._answers = self._believed(self._found.packets)
        return len(self._answers) == len(self._asked)

    def finish(self, now_ns: int) -> Mapping[int, Packet]:
        """The answers by servo; those that are missing may come late from now on."""
        if len(self._answers) < len(self._asked):
            self._found = self.protocol.scan_replies(bytes(self._received))
            self._answers = self._believed(self._found.packets)
            missing = [each for each in self._asked if each not in self._answers]
            self.late.owe(self._size, missing, now_ns)
        self.corrupt += self._found.corrupt
        # Whoever has answered before may do so again, with another length.
        self._note_late([each for each in self._found.packets if len(each.data) != self._size])
        return self._answers

    def _believed(self, packets: Sequence[Packet]) -> dict[int, Packet]:
        """The answers among replies: of the servos asked, of the length asked, one of each."""
        answers: dict[int, Packet] = {}
        twice = set()
        for packet in packets:
            if len(packet.data) == self._size and packet.id in self._asked:
                if packet.id in answers:
                    twice.add(packet.id)
                answers[packet.id] = packet
        for servo_id in twice:
            del answers[servo_id]
        return answers

    def drop_input(self) -> None:
        """Take what came since the last request: nothing in it can answer the next one.

        Raises:
            RobotConnectionError: The port is gone.
        """
        while stale := self.port.read():
            self._note_late(self.protocol.scan_replies(stale).packets)

    def _note_late(self, packets: Sequence[Packet]) -> None:
        for packet in packets:
            if self.late.take(len(packet.data), packet.id):
                self.late_count[packet.id] = self.late_count.get(packet.id, 0) + 1

    def read_each(
        self, servo_ids: Sequence[int], address: int, size: int, timeout_s: float
    ) -> dict[int, bytes]:
        """The same bytes of several servos' memory; a servo that stays silent is missing.

        Args:
            servo_ids: servos to ask.
            address: address of the first byte.
            size: number of bytes.
            timeout_s: seconds for each of three attempts.

        Raises:
            RobotConnectionError: The port is gone.
        """
        found: dict[int, bytes] = {}
        for _ in range(ATTEMPTS):
            missing = [each for each in servo_ids if each not in found]
            if not missing:
                break
            self.wait_for_late(size)
            self.ask_each(missing, address, size)
            found.update({key: packet.data for key, packet in self.answers(timeout_s).items()})
        return found

    def write_one(self, servo_id: int, address: int, data: bytes, timeout_s: float) -> int | None:
        """Write bytes into a servo's memory; the error field of its answer, None without one.

        Args:
            servo_id: servo to write to.
            address: address of the first byte.
            data: bytes to write.
            timeout_s: seconds for each of three attempts.

        Raises:
            RobotConnectionError: The port is gone.
        """
        for _ in range(ATTEMPTS):
            self.wait_for_late(0)
            self.ask([servo_id], 0, self.protocol.write(servo_id, address, data))
            if answer := self.answers(timeout_s).get(servo_id):
                return answer.code
        return None

    def wait_for_late(self, size: int) -> None:
        """Wait until no outstanding reply can be taken for an answer of that size.

        Raises:
            RobotConnectionError: The port is gone.
        """
        now_ns = time.monotonic_ns()
        while (left_ns := self.late.free_at_ns(size, now_ns) - now_ns) > 0:
            if select([self], [], [], left_ns * 1e-9)[0]:
                self.drop_input()
            now_ns = time.monotonic_ns()

    def answers(self, timeout_s: float) -> Mapping[int, Packet]:
        """The answers to the last request by servo, without those that did not come in time.

        Raises:
            RobotConnectionError: The port is gone.
        """
        (answers,) = gather([self], timeout_s)
        if isinstance(answers, RobotConnectionError):
            raise answers
        return answers


def gather(
    lines: Sequence[BusLine], timeout_s: float
) -> list[Mapping[int, Packet] | RobotConnectionError]:
    """The answers on lines that were asked one right after the other, so that all take one's time.

    Args:
        lines: lines on which a request was sent.
        timeout_s: seconds from when the slowest of them can be whole at the earliest.

    Returns:
        For each line its answers by servo, without those that did not come; or why it is gone.
    """
    gone: dict[BusLine, RobotConnectionError] = {}
    waiting = list(lines)
    deadline_ns = max(line.whole_at_ns for line in lines) + seconds_to_ns(timeout_s)
    wait_until(min(line.whole_at_ns for line in lines))
    is_over = False
    while waiting and not is_over:
        left_ns = deadline_ns - time.monotonic_ns()
        # Whoever answered in time has answered, also where this process woke up too late for it.
        is_over = left_ns <= 0
        for line in select(waiting, [], [], max(0, left_ns) * 1e-9)[0]:
            try:
                whole = line.receive()
            except RobotConnectionError as error:
                gone[line] = error
                whole = True
            if whole:
                waiting.remove(line)
    now_ns = time.monotonic_ns()
    return [gone.get(line) or line.finish(now_ns) for line in lines]
