"""The serial port: whose it is, and what is said where it cannot be used."""

import os
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.wire.serial_port import SerialPort, port_of_adapter


def test_a_second_user_is_refused_by_the_number_of_the_first_one(emulator: ServoEmulator) -> None:
    with (
        SerialPort(emulator.path, 1_000_000),
        pytest.raises(RobotConnectionError, match=f"in use by process {os.getpid()}"),
    ):
        SerialPort(emulator.path, 1_000_000)
    SerialPort(emulator.path, 1_000_000).close()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: folder / "ttyACM0", "there is no port .*ttyACM0"),
        (lambda folder: folder / "file", "is no serial port"),
    ],
)
def test_what_is_no_port_is_refused(make, text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RobotConnectionError, match=text):
        SerialPort(make(tmp_path), 1_000_000)


def test_a_rate_that_the_system_lacks_is_refused(emulator: ServoEmulator) -> None:
    with pytest.raises(ConfigurationError, match=r"no serial port has 12345 baud; valid: .*115200"):
        SerialPort(emulator.path, 12345)


def test_a_port_is_found_by_its_adapter(tmp_path: Path) -> None:
    links = tmp_path / "serial" / "by-id"
    links.mkdir(parents=True)
    for name in ("usb-1a86_USB_Single_Serial_58FA083461-if00", "usb-1a86_Serial_58FA08-if00"):
        (links / name).touch()
    assert port_of_adapter("58FA083461", tmp_path).name.endswith("58FA083461-if00")
    with pytest.raises(RobotConnectionError, match=r"no adapter has 'A1B2'.*58FA083461"):
        port_of_adapter("A1B2", tmp_path)
    with pytest.raises(RobotConnectionError, match="2 adapters have '58FA08'"):
        port_of_adapter("58FA08", tmp_path)
