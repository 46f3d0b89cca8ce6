"""The serial port: whose it is, and what is said where it cannot be used."""

import fcntl
import os
import termios
from pathlib import Path

import pytest

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.wire import serial_port
from robot_learning.servos.wire.serial_port import SerialPort, port_of_adapter

# <asm-generic/ioctls.h>: whether the terminal is exclusive.
_TIOCGEXCL = 0x80045440


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
    names = ("usb-1a86_USB_Single_Serial_58FA083461-if00", "usb-FTDI_USB_A1_B2-if00-port0")
    for name in (*names, "usb-FTDI_Quad_FT3-if00-port0", "usb-FTDI_Quad_FT3-if01-port0"):
        (links / name).touch()
    assert port_of_adapter("58FA083461", tmp_path).name == names[0]
    assert port_of_adapter("A1_B2", tmp_path).name == names[1]
    # A part of another adapter's serial number, which is plugged in while this one is not.
    for part in ("58FA08", "083461"):
        with pytest.raises(RobotConnectionError, match=rf"no adapter has .*'{part}'.*58FA083461"):
            port_of_adapter(part, tmp_path)
    with pytest.raises(RobotConnectionError, match="2 adapters have the serial number 'FT3'"):
        port_of_adapter("FT3", tmp_path)
    with pytest.raises(ConfigurationError, match="is empty"):
        port_of_adapter("", tmp_path)


def test_a_killed_user_leaves_no_emulated_port_locked(emulator: ServoEmulator) -> None:
    with SerialPort(emulator.path, 1_000_000) as port:
        exclusive = fcntl.ioctl(port.fileno(), _TIOCGEXCL, bytes(4))
    assert exclusive == bytes(4)


def test_a_port_that_takes_nothing_or_is_closed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "_PATIENCE_S", 0.01)
    master, slave = os.openpty()
    with SerialPort(os.ttyname(slave), 1_000_000) as port:
        with pytest.raises(RobotConnectionError, match="takes no more bytes; plug the adapter out"):
            for _ in range(1000):
                port.write(bytes(4096))
        with pytest.raises(RobotConnectionError, match="takes no more bytes; plug the adapter out"):
            port.write(b"x")
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    for use in (port.read, lambda: port.write(b"x")):
        with pytest.raises(RobotConnectionError, match="is closed; open it first"):
            use()
    os.close(master)
    os.close(slave)
