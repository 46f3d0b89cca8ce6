import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from robot_learning.cli.main import main
from robot_learning.core.resources import HARDWARE_PATH_VARIABLE, find_robot
from robot_learning.sim import servo_trial


@pytest.fixture
def own_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(find_robot("desk_arm").parent, tmp_path / "own_arm")
    monkeypatch.setenv(HARDWARE_PATH_VARIABLE, str(tmp_path))
    return tmp_path / "own_arm" / "robot.yaml"


def test_robots_are_listed_with_their_place(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["robots"]) == 0
    output = capsys.readouterr().out
    assert "desk_duo" in output
    assert f"{own_arm}\n" in output
    shipped = [line for line in output.splitlines() if not line.strip().startswith("/")]
    assert max(map(len, shipped)) <= 80
    assert len(shipped) == 3 * len(output.splitlines()) // 4


def test_a_broken_profile_is_listed_as_such(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_arm.write_text("schema_version: 99\n")
    assert main(["robots"]) == 1
    assert f"broken: {own_arm}: schema_version" in capsys.readouterr().out


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm", "desk_duo"])
def test_the_shipped_profiles_fit_their_models(
    robot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "check", robot]) == 0
    output = capsys.readouterr().out
    assert "compiles, and every name of the profile is in it" in output
    assert "\ngripper" in output or "\nleft_gripper" in output
    assert "warning" not in output
    assert all(len(line) <= 80 for line in output.splitlines() if not line.startswith("/"))


def test_a_profile_that_names_a_joint_the_model_lacks_is_refused(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = own_arm.read_text()
    assert "wrist_roll" in text
    own_arm.write_text(text.replace("wrist_roll", "wrist_rol"))
    # The YAML alone is consistent; only the model shows the mistake.
    assert main(["profile", "check", str(own_arm), "--no-model"]) == 0
    capsys.readouterr()
    assert main(["profile", "check", str(own_arm)]) == 2
    errors = capsys.readouterr().err
    assert str(own_arm) in errors
    assert "wrist_rol" in errors
    assert "did you mean 'wrist_roll'?" in errors


def test_bodies_that_touch_at_home_are_warned_of(
    own_arm: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No gains move a joint that is jammed, which is known after seconds.
    monkeypatch.setattr(servo_trial, "find_gains", lambda *_: None)
    model = own_arm.parent / "desk_arm.xml"
    text = model.read_text()
    # A ball round the wrist that reaches the upper arm.
    ball = '<geom type="sphere" size="0.3" contype="1" conaffinity="1"/>'
    body = '<body name="wrist_roll"' if '<body name="wrist_roll"' in text else "<body name="
    head, _, rest = text.rpartition(body)
    start, _, inside = rest.partition(">")
    model.write_text(f"{head}{body}{start}>{ball}{inside}")
    assert main(["profile", "check", str(own_arm)]) == 0
    output = capsys.readouterr().out
    assert "can jam a joint" in output
    warnings = output.count("\nwarning: ")
    assert output.splitlines()[-1] == f"{warnings} warning{'s' if warnings > 1 else ''}"


def test_the_urdf_of_a_robot_is_printed_as_a_document(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "urdf", str(own_arm)]) == 0
    robot = ElementTree.fromstring(capsys.readouterr().out)
    assert (robot.tag, robot.attrib["name"]) == ("robot", "desk_arm")
    (own_arm.parent / "desk_arm.xml").unlink()
    assert main(["profile", "urdf", str(own_arm)]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_all_mistakes_of_a_profile_are_named_at_once(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = own_arm.read_text()
    assert "control_rate_hz: 100" in text
    text = text.replace("control_rate_hz: 100", "control_rate_hz: -100\ncolour: red", 1)
    own_arm.write_text(text)
    assert main(["profile", "check", str(own_arm)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, second, last = printed.err.splitlines()
    assert first == f"{own_arm}: control_rate_hz: expected above 0, found -100"
    assert second.startswith(f"{own_arm}: unknown key 'colour'; valid: arms")
    assert last == f"robot-learning profile: {own_arm}: 2 mistakes"


def test_all_mistakes_of_a_model_are_named_at_once(
    own_arm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = own_arm.read_text()
    text = text.replace("wrist_roll", "wrist_rol").replace("site: ", "site: no_")
    own_arm.write_text(text)
    assert main(["profile", "check", str(own_arm)]) == 2
    *_, first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{own_arm}: joints[5].name: unknown MJCF joint 'wrist_rol'")
    assert second.startswith(f"{own_arm}: arms[0].end_effector.site: unknown site 'no_")
    assert last == f"robot-learning profile: {own_arm}: 2 mistakes"
