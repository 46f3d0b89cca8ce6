"""A serial port that is ours alone, and its raw bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
import time
from pathlib import Path

from robot_learning.core.errors import ConfigurationError, RobotConnectionError
from robot_learning.core.profile import SerialBus

DEVICES = Path("/dev")
LOCKS = Path("/proc/locks")
# <linux/tty_flags.h>: ftdi_sio answers within 1 ms then, not every 16 ms; root is not needed.
_ASYNC_LOW_LATENCY = 0x2000
_SERIAL_STRUCT_BYTES = 72
_FLAGS_OFFSET = 16
_CHUNK = 4096
_PATIENCE_S = 1.0
_PSEUDO = "/dev/pts/"


class SerialPort:
    """An open serial port: raw bytes, eight bits without parity, and nobody else's.

    Attributes:
        path: path under which it was opened.
        baud_rate: bits a second.
    """

    def __init__(self, path: str | Path, baud_rate: int) -> None:
        """Open the port.

        Args:
            path: path of the device, such as /dev/serial/by-id/usb-…
            baud_rate: bits a second; one of the system's rates.

        Raises:
            ConfigurationError: The system has no such rate.
            RobotConnectionError: There is no such port, it may not be used, or another process
                holds it; the text says which, and what to do.
        """
        self.path = Path(path)
        self.baud_rate = baud_rate
        self._fd = -1
        self.open()

    def open(self) -> None:
        """Open it again after `close`; where it is open already, nothing happens.

        Raises:
            ConfigurationError: As from the constructor.
            RobotConnectionError: As from the constructor.
        """
        if self._fd >= 0:
            return
        speed = _speed(self.baud_rate)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise RobotConnectionError(_refusal(self.path, error)) from error
        try:
            self._claim(fd)
            _make_raw(fd, speed)
            _make_fast(fd)
        # A file has no settings of a terminal, in the words of either of them.
        except (termios.error, OSError) as error:
            os.close(fd)
            raise RobotConnectionError(
                f"{self.path} is no serial port: {error.args[-1]}"
            ) from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _claim(self, fd: int) -> None:
        """Lock the port, among processes that ask for the lock and for those that open it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _lock_holder(fd)
            whose = f"process {holder}" if holder else "another process"
            text = f"{self.path} is in use by {whose}; stop it first, or choose another port"
            raise RobotConnectionError(text) from error
        # A pseudo-terminal would stay exclusive after a process that was killed: its other end,
        # the emulator, keeps it alive.
        if not os.ttyname(fd).startswith(_PSEUDO):
            fcntl.ioctl(fd, termios.TIOCEXCL)

    def close(self) -> None:
        """Give the port back when all has been sent; twice is allowed."""
        if self._fd >= 0:
            # The port may be gone, and with it what is to be undone.
            with contextlib.suppress(OSError, termios.error):
                termios.tcdrain(self._fd)
                fcntl.ioctl(self._fd, termios.TIOCNXCL)
            os.close(self._fd)
            self._fd = -1

    @property
    def is_open(self) -> bool:
        """Whether the port is ours."""
        return self._fd >= 0

    def fileno(self) -> int:
        """The file descriptor, for `select`."""
        return self._fd

    def write(self, data: bytes) -> None:
        """Send bytes; it returns when the system has taken them.

        Raises:
            RobotConnectionError: The port is closed or gone, or takes nothing for a second.
        """
        sent = self._write_some(data)
        while sent < len(data):
            if not select.select([], [self._fd], [], _PATIENCE_S)[1]:
                raise RobotConnectionError(
                    f"{self.path} takes no more bytes; plug the adapter out and in again, and see "
                    "to what is at its other end"
                )
            sent += self._write_some(data[sent:])

    def _write_some(self, data: bytes) -> int:
        """Send what the system takes now; how many bytes that is."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone(error) from error

    def read(self) -> bytes:
        """The bytes that have come; empty where there are none.

        Raises:
            RobotConnectionError: The port is closed or gone.
        """
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise self._gone(OSError(errno.EIO, "unplugged"))
        return data

    def _gone(self, error: OSError) -> RobotConnectionError:
        if not self.is_open:
            return RobotConnectionError(f"{self.path} is closed; open it first")
        return RobotConnectionError(
            f"{self.path} is gone ({error.strerror}); plug the adapter in again"
        )

    def __enter__(self) -> SerialPort:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def port_of_adapter(serial_number: str, devices: Path = DEVICES) -> Path:
    """The port of the USB adapter with that serial number, whatever its name is now.

    Args:
        serial_number: whole serial number of the adapter: what stands before `-if` in the names in
            /dev/serial/by-id, behind the last underscore.
        devices: folder of the system's devices.

    Raises:
        ConfigurationError: The serial number is empty.
        RobotConnectionError: None or several have it; the text lists those that are there.
    """
    if not serial_number:
        raise ConfigurationError("the serial number of an adapter is empty; write all of it")
    links = sorted((devices / "serial" / "by-id").glob("*"))
    found = [link for link in links if link.name.rsplit("-if", 1)[0].endswith(f"_{serial_number}")]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(link.name for link in links) or "(none)"
    problem = f"{len(found)} adapters have" if found else "no adapter has"
    raise RobotConnectionError(
        f"{problem} the serial number '{serial_number}'; plugged in: {listed}"
    )


def port_of_bus(bus: SerialBus) -> Path:
    """The port behind which a bus of a profile is.

    Raises:
        RobotConnectionError: It is named by its adapter, and none or several have that number.
    """
    return Path(bus.port) if bus.port else port_of_adapter(bus.adapter or "")


def wait_until(time_ns: int) -> None:
    """Sleep until that moment of the monotonic clock."""
    left_ns = time_ns - time.monotonic_ns()
    if left_ns > 0:
        time.sleep(left_ns * 1e-9)


def _speed(baud_rate: int) -> int:
    speed = getattr(termios, f"B{baud_rate}", None)
    if not isinstance(speed, int):
        rates = sorted(
            int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()
        )
        valid = ", ".join(str(rate) for rate in rates if rate)
        raise ConfigurationError(f"no serial port has {baud_rate} baud; valid: {valid}")
    return speed


def _make_raw(fd: int, speed: int) -> None:
    control = termios.CS8 | termios.CREAD | termios.CLOCAL
    settings = termios.tcgetattr(fd)
    settings[:6] = [0, 0, control, 0, speed, speed]
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    termios.tcflush(fd, termios.TCIFLUSH)


def _make_fast(fd: int) -> None:
    """Ask the driver for low latency; those that know no such thing refuse, which is no harm."""
    settings = bytearray(_SERIAL_STRUCT_BYTES)
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCGSERIAL, settings)
        (flags,) = struct.unpack_from("<i", settings, _FLAGS_OFFSET)
        struct.pack_into("<i", settings, _FLAGS_OFFSET, flags | _ASYNC_LOW_LATENCY)
        fcntl.ioctl(fd, termios.TIOCSSERIAL, settings)


def _refusal(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        near = sorted(str(each) for each in path.parent.glob("tty[AU]*"))
        listed = ", ".join(near) or "(none)"
        return f"there is no port {path}; serial ports beside it: {listed}"
    if error.errno == errno.EACCES:
        return f"no permission for {path}; robot-learning doctor says which group to join"
    if error.errno == errno.EBUSY:
        return f"{path} is in use by another process; stop it first, or choose another port"
    return f"{path} cannot be opened: {error.strerror}"


def _lock_holder(fd: int) -> int:
    """The process that holds the lock on an open file; 0 where the system does not say."""
    status = os.fstat(fd)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError):
        for line in LOCKS.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if "FLOCK" in words and device in words:
                return int(words[words.index("FLOCK") + 3])
    return 0
