"""An emulated arm of six servos, and the bus that drives it."""

from collections.abc import Iterator

import pytest
from patient_clock import PatientClock
from servo_arms import bus_of, emulated

from robot_learning.servos.emulator.emulator import ServoEmulator
from robot_learning.servos.models.feetech import STS3215
from robot_learning.servos.models.servo_model import ServoModel
from robot_learning.servos.servo_bus import ServoBus


@pytest.fixture
def model() -> ServoModel:
    return STS3215


@pytest.fixture
def emulator(model: ServoModel) -> Iterator[ServoEmulator]:
    with emulated(model=model) as servos:
        yield servos


@pytest.fixture
def clock(emulator: ServoEmulator, monkeypatch: pytest.MonkeyPatch) -> PatientClock:
    patient = PatientClock(monkeypatch)
    patient.watch(emulator)
    return patient


@pytest.fixture
def bus(emulator: ServoEmulator, clock: PatientClock) -> Iterator[ServoBus]:
    opened = bus_of(emulator)
    yield opened
    opened.close()
