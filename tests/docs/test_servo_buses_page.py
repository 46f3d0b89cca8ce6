"""The programs of the page on servo buses run as they are printed, on emulated servos."""

import re
from pathlib import Path

import pytest
from patient_clock import PatientClock
from servo_arms import bus_of, emulated

from robot_learning.servos.bus_line import BusLine
from robot_learning.servos.wire.feetech import FEETECH

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "servo_buses.md"


def test_the_programs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, driven = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    exec(alone, {})
    clock = PatientClock(monkeypatch)
    with emulated() as emulator:
        clock.watch(emulator)
        exec(driven.replace("/tmp/arm", str(emulator.path)), names := {})
        assert names["states"]["joint1"].missed == 0
        # Whatever was sent before this has been obeyed when it is answered.
        with bus_of(emulator).port as port:
            BusLine(port, FEETECH).read_each([1], 3, 2, 0.5)
        goals = [servo.value("goal_position") for servo in emulator.servos.values()]
        assert goals[0] - goals[1] > 0.09
        assert [servo.count("torque_enable") for servo in emulator.servos.values()] == [1] * 6
