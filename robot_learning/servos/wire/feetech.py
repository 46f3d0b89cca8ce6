"""Frames of Feetech's bus servos (STS and SMS series).

`FF FF id length code data… checksum`: the length counts code, data and checksum, and the checksum
is the complement of the sum of all that stands between the header and itself. Requests and replies
have the same form; in a reply the code is the servo's status byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robot_learning.servos.wire.protocol import Packet, Scan, scan_frames

HEADER = b"\xff\xff"
BROADCAST = 0xFE
PING, READ, WRITE, REG_WRITE, ACTION, RESET = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
SYNC_READ, SYNC_WRITE = 0x82, 0x83
_AROUND_DATA = 6
"""Bytes of a frame beside its data."""


def frame(servo_id: int, code: int, data: bytes = b"") -> bytes:
    """A frame of either direction.

    >>> frame(1, READ, bytes([0x38, 2])).hex(" ")
    'ff ff 01 04 02 38 02 be'
    """
    body = bytes([servo_id, len(data) + 2, code]) + data
    return HEADER + body + bytes([~sum(body) & 0xFF])


def scan(stream: bytes, more_to_come: bool = False) -> Scan:
    """The frames in a piece of the byte stream; see `scan_frames`."""
    return scan_frames(stream, HEADER, _bounds, _packet, more_to_come=more_to_come)


def _bounds(stream: bytes, start: int) -> tuple[int, int]:
    size = len(stream)
    # An id is never 0xFF: more of them than two belong to the header or are noise.
    while start + 2 < size and stream[start + 2] == 0xFF:
        start += 1
    return start, start + 4 + stream[start + 3] if start + 3 < size else size + 1


def _packet(stream: bytes, start: int, stop: int) -> Packet | None:
    is_sum_right = (sum(stream[start + 2 : stop - 1]) + stream[stop - 1]) & 0xFF == 0xFF
    if stop < start + _AROUND_DATA or not is_sum_right:
        return None
    return Packet(stream[start + 2], stream[start + 4], stream[start + 5 : stop - 1])


class Feetech:
    """The frames of Feetech's protocol, as `wire.protocol.WireProtocol` describes them."""

    name = "feetech"
    reply_overhead = _AROUND_DATA

    def write(self, servo_id: int, address: int, data: bytes) -> bytes:
        """A request to put bytes into one servo's memory."""
        return frame(servo_id, WRITE, bytes([address]) + data)

    def sync_read(self, servo_ids: Sequence[int], address: int, size: int) -> bytes:
        """A request for the same bytes of several servos."""
        return frame(BROADCAST, SYNC_READ, bytes([address, size, *servo_ids]))

    def sync_write(self, address: int, data: Mapping[int, bytes]) -> bytes:
        """A request to put as many bytes into each of several servos."""
        size = len(next(iter(data.values())))
        parts = (bytes([servo_id]) + piece for servo_id, piece in data.items())
        return frame(BROADCAST, SYNC_WRITE, bytes([address, size]) + b"".join(parts))

    def scan_replies(self, stream: bytes) -> Scan:
        """The replies in bytes that are all there is."""
        return scan(stream)


FEETECH = Feetech()
