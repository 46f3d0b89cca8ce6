"""Frames of Dynamixel protocol 2.0.

`FF FF FD 00 id length instruction parameters… crc`: the length, two bytes as the CRC is, counts all
behind itself. A reply has the instruction 55 and its error field before its data. Where `FF FF FD`
would stand behind the length, another `FD` is put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robot_learning.servos.wire.protocol import Packet, Scan, scan_frames

HEADER = b"\xff\xff\xfd\x00"
BROADCAST = 0xFE
PING, READ, WRITE, REG_WRITE, ACTION, REBOOT = 0x01, 0x02, 0x03, 0x04, 0x05, 0x08
STATUS, SYNC_READ, SYNC_WRITE = 0x55, 0x82, 0x83
_BEFORE_BODY = 7
"""Bytes of a frame up to its length."""
_SHORTEST_BODY = 3
_STUFFED, _STUFFING = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"


def _crc_of_byte(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x8005) if crc & 0x8000 else crc << 1
    return crc & 0xFFFF


_CRC_TABLE = tuple(_crc_of_byte(byte) for byte in range(256))


def crc16(data: bytes) -> int:
    """The CRC-16 of the protocol: polynomial 0x8005, beginning with 0, the highest bit first."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC_TABLE[crc >> 8 ^ byte]
    return crc


def frame(servo_id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """A frame of either direction.

    >>> frame(1, PING).hex(" ")
    'ff ff fd 00 01 03 00 01 19 4e'
    """
    body = (bytes([instruction]) + parameters).replace(_STUFFED, _STUFFING)
    head = HEADER + bytes([servo_id]) + (len(body) + 2).to_bytes(2, "little")
    return head + body + crc16(head + body).to_bytes(2, "little")


def status_frame(servo_id: int, error: int, data: bytes = b"") -> bytes:
    """What a servo answers with."""
    return frame(servo_id, STATUS, bytes([error]) + data)


def scan(stream: bytes, more_to_come: bool = False) -> Scan:
    """The frames in a piece of the byte stream, replies among them; see `scan_frames`."""
    return scan_frames(stream, HEADER, _bounds, _packet, more_to_come=more_to_come)


def _bounds(stream: bytes, start: int) -> tuple[int, int]:
    body = start + _BEFORE_BODY
    if body > len(stream):
        return start, len(stream) + 1
    return start, body + int.from_bytes(stream[body - 2 : body], "little")


def _packet(stream: bytes, start: int, stop: int) -> Packet | None:
    body = start + _BEFORE_BODY
    checksum = int.from_bytes(stream[stop - 2 : stop], "little")
    if stop < body + _SHORTEST_BODY or crc16(stream[start : stop - 2]) != checksum:
        return None
    inside = stream[body : stop - 2].replace(_STUFFING, _STUFFED)
    return Packet(stream[start + 4], inside[0], inside[1:])


class Dynamixel:
    """The frames of protocol 2.0, as `wire.protocol.WireProtocol` describes them."""

    name = "dynamixel"
    reply_overhead = 11

    def write(self, servo_id: int, address: int, data: bytes) -> bytes:
        """A request to put bytes into one servo's memory."""
        return frame(servo_id, WRITE, address.to_bytes(2, "little") + data)

    def sync_read(self, servo_ids: Sequence[int], address: int, size: int) -> bytes:
        """A request for the same bytes of several servos."""
        return frame(BROADCAST, SYNC_READ, _place(address, size) + bytes(servo_ids))

    def sync_write(self, address: int, data: Mapping[int, bytes]) -> bytes:
        """A request to put as many bytes into each of several servos."""
        size = len(next(iter(data.values())))
        parts = (bytes([servo_id]) + piece for servo_id, piece in data.items())
        return frame(BROADCAST, SYNC_WRITE, _place(address, size) + b"".join(parts))

    def scan_replies(self, stream: bytes) -> Scan:
        """The replies in bytes that are all there is; requests among them are an echo."""
        found = scan(stream)
        found.packets = [
            Packet(packet.id, packet.data[0], packet.data[1:])
            for packet in found.packets
            if packet.code == STATUS and packet.data
        ]
        return found


def _place(address: int, size: int) -> bytes:
    return address.to_bytes(2, "little") + size.to_bytes(2, "little")


DYNAMIXEL = Dynamixel()
