"""What the protocols of serial servos have in common: packets, and how they are found in bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

BITS_PER_BYTE = 10
"""On the wire: a start bit, eight of data and a stop bit."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet with a valid checksum.

    Attributes:
        id: id of the servo that is addressed or that answers.
        code: instruction of a request, error field of a reply.
        data: parameters of a request, data of a reply.
    """

    id: int
    code: int
    data: bytes = b""


@dataclass(slots=True)
class Scan:
    """What was found in a piece of the byte stream.

    Attributes:
        packets: whole packets, in the order in which they came.
        corrupt: number of frames that were cut short or whose checksum is wrong.
        end: number of bytes that are done with; the rest may be the beginning of a packet.
    """

    packets: list[Packet] = field(default_factory=list)
    corrupt: int = 0
    end: int = 0


def scan_frames(
    stream: bytes,
    header: bytes,
    bounds_of: Callable[[bytes, int], tuple[int, int]],
    packet_of: Callable[[bytes, int, int], Packet | None],
    *,
    more_to_come: bool = False,
) -> Scan:
    """The packets in a piece of the byte stream; what stands between them is skipped.

    Args:
        stream: bytes as they came.
        header: bytes that every frame begins with.
        bounds_of: tells where the frame whose header was found at a place begins and, by its
            length, ends; that is beyond the stream where the length has not come yet.
        packet_of: reads the frame between two places; None where it is no frame.
        more_to_come: whether a frame that is cut short at the end may still become whole; it is
            left after `Scan.end` then, and counts as corrupt otherwise.
    """
    found = Scan()
    start, size = stream.find(header), len(stream)
    while start >= 0:
        start, stop = bounds_of(stream, start)
        if stop > size and more_to_come:
            found.end = start
            return found
        packet = packet_of(stream, start, stop) if stop <= size else None
        if packet is None:
            found.corrupt += 1
            # The length may be what is wrong: the next frame can begin anywhere behind it.
            stop = start + len(header)
        else:
            found.packets.append(packet)
        start = stream.find(header, stop)
    # The last bytes may be those that a header begins with.
    begun = (count for count in range(len(header) - 1, 0, -1) if stream.endswith(header[:count]))
    found.end = size - next(begun, 0)
    return found


class WireProtocol(Protocol):
    """The frames of one protocol.

    Reads are always asked of several servos at once, be it of one: such a request is addressed to
    all, so that no adapter's echo of it can be taken for a servo's reply.

    Attributes:
        name: name in profiles, such as `feetech`.
        reply_overhead: number of bytes of a reply beside its data.
    """

    name: str
    reply_overhead: int

    def write(self, servo_id: int, address: int, data: bytes) -> bytes:
        """A request to put bytes into one servo's memory; it answers without data."""
        ...

    def sync_read(self, servo_ids: Sequence[int], address: int, size: int) -> bytes:
        """A request for the same bytes of several servos, which answer in the order asked."""
        ...

    def sync_write(self, address: int, data: Mapping[int, bytes]) -> bytes:
        """A request to put as many bytes into each of several servos; none answers."""
        ...

    def scan_replies(self, stream: bytes) -> Scan:
        """The replies in bytes that are all there is: what is cut short counts as corrupt."""
        ...


def wire_time_s(byte_count: int, baud_rate: int) -> float:
    """How long that many bytes take on the wire, in seconds."""
    return byte_count * BITS_PER_BYTE / baud_rate
