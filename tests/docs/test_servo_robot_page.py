"""The page on arms on servo buses: its files are valid, and its program moves the arm."""

import re
from pathlib import Path

import pytest
import yaml
from patient_clock import PatientClock
from servo_robots import emulated

from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.servos.calibration_file import calibration_path, load_calibration

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guides" / "servo_robot.md"
ADAPTER = 'adapter: "58FA083461"'


def test_the_program_moves_the_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text("utf-8")
    interfaces, calibration = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Pacer, "remaining_s", lambda _: 0.0)
    clock = PatientClock(monkeypatch)
    values = yaml.safe_load((ROOT / "hardware" / "desk_arm" / "robot.yaml").read_text("utf-8"))
    profile_path = tmp_path / "my_arm" / "robot.yaml"
    profile_path.parent.mkdir()
    calibration_path("desk_arm").parent.mkdir(parents=True)

    def write(reached_by: str) -> None:
        values.update(yaml.safe_load(interfaces.replace(ADAPTER, reached_by)))
        values["interfaces"]["sim"]["mjcf"] = str(ROOT / "hardware" / "desk_arm" / "desk_arm.xml")
        profile_path.write_text(yaml.safe_dump(values))
        calibration_path("desk_arm").write_text(calibration.replace(ADAPTER, reached_by))

    write(ADAPTER)
    profile = load_profile(profile_path)
    with emulated(profile, load_calibration(profile), holding=False) as emulators:
        clock.watch(emulators["arm"])
        write(f"port: {emulators['arm'].path}")
        exec(program.replace("my_arm/robot.yaml", str(profile_path)), names := {})
        moved = names["robot"].commanded - profile.home
    assert moved[0] == pytest.approx(0.1, abs=2e-3)
    assert names["robot"].remarks == ()
