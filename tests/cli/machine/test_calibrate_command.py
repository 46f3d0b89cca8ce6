"""`calibrate`, with a hand that moves the shafts of emulated servos."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from patient_clock import PatientClock
from servo_robots import calibration_of, emulated, reached_by, servo_profile

from robot_learning.cli.machine import calibrating
from robot_learning.cli.main import main
from robot_learning.core.profile import RobotProfile
from robot_learning.servos.calibration import TICK_RAD
from robot_learning.servos.calibration_file import load_calibration
from robot_learning.servos.emulator.emulator import ServoEmulator

STEPS = 4


class Hand:
    """Moves one joint after the other to its limits, and presses Enter there; it is the input."""

    def __init__(self, profile: RobotProfile, emulator: ServoEmulator) -> None:
        self._ways = self._all_ways(profile, emulator)

    def _all_ways(self, profile: RobotProfile, emulator: ServoEmulator) -> Iterator[bool]:
        calibration = calibration_of(profile)
        # The first joint is done wrong once: it does not move.
        first = calibration.joints[profile.joints[0].name]
        home_rad = emulator.servos[first.id].value("goal_position")
        for _ in range(2):
            emulator.shafts.place(first.id, home_rad)
            yield True
        for joint in profile.joints:
            calibrated = calibration.joints[joint.name]
            scale, ticks = calibrated.scale(), calibrated.scale().ticks(joint.home)
            for limit in (joint.position_min, joint.position_max):
                for place in np.linspace(ticks, scale.ticks(limit), STEPS)[1:]:
                    emulator.shafts.place(calibrated.id, float(place) * TICK_RAD)
                    yield False
                yield True
                ticks = scale.ticks(limit)

    def select(self, *_: object) -> tuple[list[object], list[object], list[object]]:
        return [self] if next(self._ways) else [], [], []

    def readline(self) -> str:
        return "\n"


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RobotProfile, ServoEmulator]]:
    profile = servo_profile()
    clock = PatientClock(monkeypatch)
    with emulated(profile, calibration_of(profile)) as emulators:
        clock.watch(emulators["arm"])
        reached = reached_by(profile, emulators)
        hand = Hand(reached, emulators["arm"])
        monkeypatch.setattr(calibrating, "load_profile", lambda _: reached)
        monkeypatch.setattr(calibrating, "select", hand.select)
        monkeypatch.setattr("sys.stdin", hand)
        yield reached, emulators["arm"]


def test_what_is_written_is_where_the_zeros_are(
    arm: tuple[RobotProfile, ServoEmulator], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, emulator = arm
    path = tmp_path / "new" / "arm.yaml"
    assert main(["calibrate", "desk_arm", "--release", "--out", str(path)]) == 0
    truth = calibration_of(profile)
    for name, joint in load_calibration(profile, path).joints.items():
        assert joint.sign == truth.joints[name].sign or joint.table
        assert joint.zero_ticks == pytest.approx(truth.joints[name].zero_ticks, abs=1)
    assert [servo.eeprom_writes for servo in emulator.servos.values()] == [0] * 7
    output = capsys.readouterr().out
    assert "shoulder_pan: bring it to its lower limit, -1.9 rad, and press Enter" in output
    assert "each +0.0° beyond" in output
    assert "went through 0 ticks; it is to move, and through less" in output
    assert main(["calibrate", "desk_arm", "--out", str(path)]) == 2


def test_an_arm_that_holds_is_not_let_fall_unasked(
    arm: tuple[RobotProfile, ServoEmulator], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, emulator = arm
    assert main(["calibrate", "desk_arm", "--out", str(tmp_path / "arm.yaml")]) != 0
    assert "hold; support the arm and give --release" in capsys.readouterr().err
    assert [servo.torque_writes for servo in emulator.servos.values()] == [[]] * 7
    assert not (tmp_path / "arm.yaml").exists()
