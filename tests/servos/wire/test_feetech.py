"""Feetech's frames, against packets written down in its manual and by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_learning.servos.wire.feetech import FEETECH, READ, frame, scan
from robot_learning.servos.wire.protocol import Packet

packets = st.builds(Packet, st.integers(0, 253), st.integers(0, 255), st.binary(max_size=20))


def test_requests_are_those_of_the_manual() -> None:
    assert frame(1, READ, bytes([0x38, 2])).hex() == "ffff0104023802be"
    assert FEETECH.write(0xFE, 55, b"\0").hex() == "fffffe04033700c3"
    goal = bytes.fromhex("32e8030000e803")
    assert FEETECH.write(1, 41, goal).hex() == "ffff010a032932e8030000e803c0"


def test_a_request_to_several_servos_names_them_all() -> None:
    assert FEETECH.sync_read([1, 2], 56, 15).hex() == "fffffe0682380f01022f"
    sent = FEETECH.sync_write(42, {1: b"\x00\x08", 2: b"\x01\x08"})
    assert sent.hex() == "fffffe0a832a0201000802010834"


@given(st.lists(packets, max_size=5), st.binary(max_size=4))
def test_every_packet_is_found_among_other_bytes(sent: list[Packet], noise: bytes) -> None:
    noise = noise.replace(b"\xff", b"\x00")
    stream = b"".join(noise + frame(each.id, each.code, each.data) for each in sent)
    assert scan(stream).packets == sent


@pytest.mark.parametrize("index", range(2, 8))
def test_a_wrong_byte_costs_one_packet_alone(index: int) -> None:
    first, second = bytearray(frame(1, 0, b"\x10\x20")), frame(2, 0, b"\x30\x40")
    first[index] ^= 0x41
    found = scan(bytes(first) + second)
    assert found.packets == [Packet(2, 0, b"\x30\x40")]
    assert found.corrupt == 1


def test_the_beginning_of_a_packet_is_kept_until_the_rest_comes() -> None:
    whole = frame(1, READ, bytes([0x38, 2]))
    for cut in range(1, len(whole)):
        found = scan(whole + whole[:cut], more_to_come=True)
        assert (len(found.packets), found.corrupt) == (1, 0)
        assert scan((whole + whole[:cut])[found.end :] + whole[cut:]).packets == found.packets
