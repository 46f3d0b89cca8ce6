"""Libraries by others read and write the emulated servos: what it takes to be bytes, they do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Protocol

import pytest
from servo_arms import BAUD_RATE, emulated

from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.models.dynamixel import XL330_M288
from robot_learning.servos.models.feetech import STS3215
from robot_learning.servos.models.register import Register
from robot_learning.servos.models.servo_model import ServoModel

rustypot = pytest.importorskip("rustypot")
scservo_sdk = pytest.importorskip("scservo_sdk")
dynamixel_sdk = pytest.importorskip("dynamixel_sdk")

TIMEOUT_S = 0.5
# A servo with another id, or one that answers no writes, is not spoken to any more, and a watchdog
# of 20 ms trips where the machine is busy.
LEFT_ALONE = {"id", "response_level", "watchdog"}


class Client(Protocol):
    """A library's way to a servo's memory."""

    def read(self, servo_id: int, address: int, size: int) -> bytes: ...
    def write(self, servo_id: int, address: int, data: bytes) -> None: ...
    def sync_read(self, ids: list[int], address: int, size: int) -> list[bytes]: ...


class Rustypot:
    def __init__(self, path: str, model: ServoModel) -> None:
        feetech = model is STS3215
        kind = rustypot.Sts3215PyController if feetech else rustypot.Xl330PyController
        self._controller = kind(path, BAUD_RATE, TIMEOUT_S)

    def read(self, servo_id: int, address: int, size: int) -> bytes:
        return bytes(self._controller.read_raw_data(servo_id, address, size))

    def write(self, servo_id: int, address: int, data: bytes) -> None:
        self._controller.write_raw_data(servo_id, address, list(data))

    def sync_read(self, ids: list[int], address: int, size: int) -> list[bytes]:
        return [bytes(each) for each in self._controller.sync_read_raw_data(ids, address, size)]


class VendorSdk:
    """Its deadline is 34 ms and more of the wall clock, so that a busy machine asks again."""

    def __init__(self, path: str, model: ServoModel) -> None:
        self._sdk = scservo_sdk if model is STS3215 else dynamixel_sdk
        self._port = self._sdk.PortHandler(path)
        assert self._port.openPort() and self._port.setBaudRate(BAUD_RATE)
        # Feetech's takes the order of bytes where Dynamixel's takes the version of the protocol.
        self._packets = self._sdk.PacketHandler(0 if model is STS3215 else 2.0)

    def _again(self, ask) -> bytes:
        for _ in range(10):
            data, result, _ = ask()
            if result == self._sdk.COMM_SUCCESS:
                return bytes(data or b"")
            time.sleep(0.05)
            self._port.ser.reset_input_buffer()
        raise TimeoutError(self._packets.getTxRxResult(result))

    def read(self, servo_id: int, address: int, size: int) -> bytes:
        return self._again(lambda: self._packets.readTxRx(self._port, servo_id, address, size))

    def write(self, servo_id: int, address: int, data: bytes) -> None:
        self._again(
            lambda: (
                b"",
                *self._packets.writeTxRx(self._port, servo_id, address, len(data), list(data)),
            )
        )

    def sync_read(self, ids: list[int], address: int, size: int) -> list[bytes]:
        group = self._sdk.GroupSyncRead(self._port, self._packets, address, size)
        for servo_id in ids:
            group.addParam(servo_id)
        self._again(lambda: (b"", group.txRxPacket(), 0))
        return [
            bytes(group.getData(servo_id, address + offset, 1) for offset in range(size))
            for servo_id in ids
        ]

    def close(self) -> None:
        self._port.closePort()


@pytest.fixture(params=[STS3215, XL330_M288], ids=lambda model: model.protocol.name)
def model(request: pytest.FixtureRequest) -> ServoModel:
    return request.param


@pytest.fixture
def servos(model: ServoModel) -> Iterator[ServoEmulator]:
    with emulated(3, model) as emulator:
        yield emulator


@pytest.fixture(params=[Rustypot, VendorSdk], ids=["rustypot", "vendor"])
def client(request: pytest.FixtureRequest, servos: ServoEmulator, model: ServoModel) -> Client:
    return request.param(str(servos.path), model)


def other_count(register: Register) -> int:
    """A count that is not there yet, and that leaves the servo as it can be spoken to."""
    return register.factory ^ 1


def test_every_register_is_read_and_written(
    servos: ServoEmulator, client: Client, model: ServoModel
) -> None:
    servo = servos.servos[2]
    for register in model.registers.values():
        if register.access != "read" and register.name not in LEFT_ALONE:
            client.write(2, register.address, register.encode(other_count(register)))
            assert servo.count(register.name) == other_count(register), register.name
        found = client.read(2, register.address, register.size)
        assert register.decode(found) == servo.count(register.name), register.name


def test_the_block_of_a_cycle_is_the_same_to_all(
    servos: ServoEmulator, client: Client, model: ServoModel
) -> None:
    for servo_id in servos.servos:
        servos.shafts.place(servo_id, 0.5 * servo_id)
    blocks = client.sync_read([1, 2, 3], model.feedback_address, model.feedback_size)
    found = [model.feedback(block) for block in blocks]
    assert [each.position_rad for each in found] == pytest.approx([0.5, 1.0, 1.5], abs=0.001)
