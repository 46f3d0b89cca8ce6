"""Frames of Dynamixel protocol 2.0, against packets that its e-manual prints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.servos.wire.dynamixel import (
    DYNAMIXEL,
    READ,
    STATUS,
    frame,
    scan,
    status_frame,
)
from robot_learning.servos.wire.protocol import Packet

# Bytes of which headers are made turn up more often than others would.
awkward = st.binary(max_size=20) | st.lists(st.sampled_from([0xFF, 0xFD, 0x00]), max_size=12).map(
    bytes
)
packets = st.builds(Packet, st.integers(0, 252), st.integers(0, 254), awkward)


def test_requests_and_replies_are_those_of_the_manual() -> None:
    assert frame(1, READ, bytes.fromhex("84000400")).hex() == "fffffd0001070002840004001d15"
    written = DYNAMIXEL.write(1, 116, (512).to_bytes(4, "little"))
    assert written.hex() == "fffffd000109000374000002000" + "0ca89"
    assert status_frame(1, 0, bytes.fromhex("060426")).hex() == "fffffd0001070055000604" + "26655d"
    asked = DYNAMIXEL.sync_read([1, 2], 132, 4)
    assert asked.hex() == "fffffd00fe0900828400040001" + "02cefa"


@given(st.lists(packets, max_size=5), st.binary(max_size=4))
def test_every_packet_is_found_among_other_bytes(sent: list[Packet], noise: bytes) -> None:
    noise = noise.replace(b"\xff", b"\x00")
    stream = b"".join(noise + frame(each.id, each.code, each.data) for each in sent)
    assert scan(stream).packets == sent


@pytest.mark.parametrize("index", range(4, 13))
def test_a_wrong_byte_costs_one_packet_alone(index: int) -> None:
    first, second = bytearray(status_frame(1, 0, b"\x10\x20")), status_frame(2, 0, b"\x30\x40")
    first[index] ^= 0x41
    found = DYNAMIXEL.scan_replies(bytes(first) + second)
    assert found.packets == [Packet(2, 0, b"\x30\x40")]
    assert found.corrupt == 1


def test_the_beginning_of_a_packet_is_kept_until_the_rest_comes() -> None:
    whole = frame(1, STATUS, bytes([0, 0x38, 2]))
    for cut in range(1, len(whole)):
        found = scan(whole + whole[:cut], more_to_come=True)
        assert (len(found.packets), found.corrupt) == (1, 0)
        assert scan((whole + whole[:cut])[found.end :] + whole[cut:]).packets == found.packets
