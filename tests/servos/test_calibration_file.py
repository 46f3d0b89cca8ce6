"""The file of one arm's calibration: what is read, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from servo_robots import GRIPPER, calibration_of, servo_profile

from robot_learning.core.errors import ConfigurationError
from robot_learning.servos.calibration_file import calibration_path, load_calibration

PAN = "shoulder_pan"


@pytest.fixture
def values() -> dict[str, Any]:
    """What the file of the tests' arm holds."""
    calibration = calibration_of(servo_profile())
    joints = {
        name: {
            "bus": joint.bus,
            "id": joint.id,
            "model": joint.model,
            "range_ticks": list(joint.range_ticks),
            "sign": joint.sign,
            **({"table": [list(point) for point in joint.table]} if joint.table else {}),
            **({} if joint.table else {"zero_ticks": joint.zero_ticks}),
        }
        for name, joint in calibration.joints.items()
    }
    buses = {"arm": {"port": "/dev/arm"}}
    return {"schema_version": 1, "robot": "desk_arm", "buses": buses, "joints": joints}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the calibration is looked for."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = calibration_path("desk_arm")
    place.parent.mkdir(parents=True)
    return place


def test_what_was_calibrated_is_read(path: Path, values: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(values))
    profile = servo_profile()
    assert load_calibration(profile) == calibration_of(profile)


@pytest.mark.parametrize(
    ("joint", "changes", "text"),
    [
        (PAN, {"id": 3}, "another arm: the id of 'shoulder_pan' is 1, it was 3; give the file"),
        (PAN, {"model": "xl330-m288"}, "the model of 'shoulder_pan' is sts3215, it was xl330-m288"),
        (PAN, {"range_ticks": [9, 9]}, r"shoulder_pan.range_ticks: \[9, 9\] is no range"),
        (PAN, {"range_ticks": [0, 4096]}, "is no range that rises within a turn"),
        (PAN, {"zero_ticks": None}, "it turns; give 'zero_ticks', and no 'table'"),
        (PAN, {"sign": 2}, "joints.shoulder_pan.sign: unknown value '2'; valid: -1, 1"),
        (PAN, {"zero_tick": 7}, "unknown key 'zero_tick'; did you mean 'zero_ticks'"),
        (GRIPPER, {"zero_ticks": 7}, "it slides; give 'table'"),
        (GRIPPER, {"table": [[0, 0.0], [9, 0.0]]}, "gripper.table: .* rise all the way or fall"),
    ],
)
def test_a_wrong_joint_is_refused(
    path: Path, values: dict[str, Any], joint: str, changes: dict[str, Any], text: str
) -> None:
    values["joints"][joint].update(changes)
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigurationError, match=text):
        load_calibration(servo_profile())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"robot": "so101"}, "it is for the robot 'so101', not 'desk_arm'"),
        ({"joints": {}}, "no calibration of shoulder_pan, "),
        (
            {"buses": {"arm": {"adapter": "58FA"}}},
            "another arm: the adapter of the bus 'arm' is None, it was 58FA; the port",
        ),
    ],
)
def test_a_file_of_another_arm_is_refused(
    path: Path, values: dict[str, Any], changes: dict[str, Any], text: str
) -> None:
    path.write_text(yaml.safe_dump({**values, **changes}))
    with pytest.raises(ConfigurationError, match=text):
        load_calibration(servo_profile())


def test_a_missing_file_says_what_to_do(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{path}: there is no calibration of 'desk_arm';"):
        load_calibration(servo_profile())
