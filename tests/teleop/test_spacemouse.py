"""The SpaceMouse, from the bytes on the wire."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from device_contract import PERIOD_NS, DeviceContract, context_at

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.teleop.spacemouse import SpaceMouse, load_spacemouse_map


class Wire:
    """hidapi's device: a queue of reports."""

    def __init__(self) -> None:
        self.reports: list[bytes] = []
        self.unplugged = False

    def read(self, max_length: int) -> list[int]:
        if self.unplugged:
            raise OSError("read error")
        return list(self.reports.pop(0)[:max_length]) if self.reports else []

    def close(self) -> None:
        pass

    def translate(self, x: int, y: int, z: int) -> None:
        self.reports.append(bytes([1]) + struct.pack("<3h", x, y, z))

    def rotate(self, x: int, y: int, z: int) -> None:
        self.reports.append(bytes([2]) + struct.pack("<3h", x, y, z))

    def press(self, bits: int) -> None:
        self.reports.append(bytes([3, bits, 0, 0]))


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def device(profile: RobotProfile, wire: Wire) -> SpaceMouse:
    return SpaceMouse(profile, load_spacemouse_map(), lambda: wire)


class TestContract(DeviceContract):
    @pytest.fixture
    def engage(self, wire: Wire) -> Callable[[int], None]:
        return lambda _now_ns: wire.translate(0, -350, 0)

    @pytest.fixture
    def lose(self, wire: Wire) -> Callable[[], None]:
        def unplug() -> None:
            wire.unplugged = True

        return unplug


@pytest.mark.parametrize(
    ("translation", "rotation", "linear", "angular"),
    [
        ((0, -350, 0), (0, 0, 0), (1, 0, 0), (0, 0, 0)),  # pushed away
        ((350, 0, 0), (0, 0, 0), (0, -1, 0), (0, 0, 0)),  # pushed right
        ((0, 0, -350), (0, 0, 0), (0, 0, 1), (0, 0, 0)),  # lifted
        ((0, 0, 0), (-350, 0, 0), (0, 0, 0), (0, 1, 0)),  # tilted away
        ((0, 0, 0), (0, 350, 0), (0, 0, 0), (-1, 0, 0)),  # tilted left
        ((0, 0, 0), (0, 0, 350), (0, 0, 0), (0, 0, -1)),  # twisted clockwise
    ],
)
def test_six_axes(device, wire, profile, translation, rotation, linear, angular) -> None:
    device.open()
    wire.translate(*translation)
    wire.rotate(*rotation)
    motion = device.poll(0, context_at(profile.home)).motions[0]
    assert motion.linear == linear
    assert motion.angular == angular


def test_all_axes_in_one_report(device, wire, profile) -> None:
    device.open()
    wire.reports.append(bytes([1]) + struct.pack("<6h", 0, -350, 0, 0, 0, -350))
    motion = device.poll(0, context_at(profile.home)).motions[0]
    assert (motion.linear, motion.angular) == ((1, 0, 0), (0, 0, 1))


def test_a_wireless_report_may_be_padded_and_beyond_full_scale(device, wire, profile) -> None:
    device.open()
    report = bytes([1]) + struct.pack("<6h", 32767, -32768, 0, 0, 0, -32768)
    for padding in (b"", b"\0", bytes(50)):
        wire.reports.append(report + padding)
        motion = device.poll(0, context_at(profile.home)).motions[0]
        assert (motion.linear, motion.angular) == ((1, -1, 0), (0, 0, 1))


def test_a_wireless_report_that_is_cut_short_turns_nothing(device, wire, profile) -> None:
    device.open()
    report = bytes([1]) + struct.pack("<6h", 0, 0, -350, 0, 0, 350)
    wire.reports += [report[:12], report[:6]]
    motion = device.poll(0, context_at(profile.home)).motions[0]
    assert (motion.linear, motion.angular) == ((0, 0, 1), (0, 0, 0))


def test_buttons_drive_the_gripper(device, wire, profile) -> None:
    device.open()
    wire.press(1)
    assert device.poll(0, context_at(profile.home)).grip == {"arm": 1.0}
    wire.reports.append(bytes([3, 3, 0]))  # both, as a wireless one says it
    assert device.poll(1, context_at(profile.home)).grip == {}
    wire.press(2)
    assert device.poll(1, context_at(profile.home)).grip == {"arm": -1.0}


def test_a_lost_report_of_letting_go_stops_the_motion(device, wire, profile) -> None:
    device.open()
    wire.translate(0, -350, 0)
    assert device.poll(0, context_at(profile.home)).motions
    assert device.poll(10 * PERIOD_NS, context_at(profile.home)).motions
    assert not device.poll(20 * PERIOD_NS, context_at(profile.home)).motions


def test_no_other_report_revives_an_axis_that_is_no_longer_told(device, wire, profile) -> None:
    device.open()
    wire.translate(0, -350, 0)
    assert device.poll(0, context_at(profile.home)).motions
    late_ns = 20 * PERIOD_NS
    wire.press(1)
    assert device.poll(late_ns, context_at(profile.home)).motions == ()
    wire.rotate(0, 0, -350)
    motion = device.poll(late_ns, context_at(profile.home)).motions[0]
    assert (motion.linear, motion.angular) == ((0, 0, 0), (0, 0, 1))


@pytest.mark.parametrize("report", [b"", b"\x01", b"\x01\x02\x03", b"\x17\x64", b"\x63" * 64])
def test_a_strange_report_changes_nothing(device, wire, profile, report) -> None:
    device.open()
    wire.reports += [report]
    assert not device.poll(0, context_at(profile.home)).engaged


def test_a_wrong_map_lists_the_axes(tmp_path) -> None:
    path = tmp_path / "mouse.yaml"
    path.write_text(
        "schema_version: 1\ndevice: spacemouse\ncartesian_axes: {lft: z+}\n", encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match=r"did you mean 'lift'.*twist_left"):
        load_spacemouse_map(str(path))
