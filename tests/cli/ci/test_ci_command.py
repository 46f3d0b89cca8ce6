"""The gate of a pipeline: what it checks, how it fails, and that checking nothing is refused."""

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from steering_policy import save_steering

from robot_learning.cli.ci.report import Result, Verdict, junit
from robot_learning.cli.ci.settings import read_pipeline
from robot_learning.cli.main import main
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "data" / "sample"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A policy that stays at home: it never lifts anything."""
    arm = load_profile("desk_arm")
    return save_steering(tmp_path / "steering", arm, arm.home)


def cases(path: Path) -> dict[str, ElementTree.Element]:
    suite = ElementTree.parse(path).getroot().find("testsuite")
    assert suite is not None
    found = {f"{c.get('classname')} {c.get('name')}": c for c in suite}
    assert int(suite.get("tests", "0")) == len(found)
    return found


def test_a_profile_and_a_dataset_pass_and_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "reports" / "ci.xml"
    asked = ["ci", "--profile", "desk_arm", "--dataset", str(SAMPLE), "--junit", str(report)]
    assert main(asked) == 0
    assert "3 passed, 0 failed" in capsys.readouterr().out
    found = cases(report)
    assert len(found) == 3
    for case in found.values():
        assert case.find("failure") is None and case.find("error") is None
        assert float(case.get("time", "nan")) >= 0


def test_every_mistake_of_a_profile_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "robot.yaml"
    text = find_robot("desk_arm").read_text()
    profile.write_text(text.replace("control_rate_hz: 100", "control_rate_hz: 0\ncolour: red"))
    assert main(["ci", "--profile", str(profile), "--junit", str(tmp_path / "ci.xml")]) == 1
    (case,) = cases(tmp_path / "ci.xml").values()
    told = "".join(case.itertext()) + capsys.readouterr().out
    for mistake in ("control_rate_hz: expected above 0", "unknown key 'colour'", "no file"):
        assert told.count(mistake) >= 2


def test_every_bad_answer_fails_the_build_and_none_hides_another(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SAMPLE, tmp_path / "damaged")
    (episode,) = (tmp_path / "damaged" / "episodes").glob("*.hdf5")
    data = bytearray(episode.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    episode.write_bytes(data)
    file = tmp_path / "ci.yaml"
    file.write_text(
        f"profiles: [desk_arm, no_such_arm]\n"
        f"datasets:\n"
        f"  - {{path: damaged, replay: []}}\n"
        f"  - {{path: {SAMPLE}, bound: 0.000001}}\n"
        f"policies:\n"
        f"  - {{checkpoint: {checkpoint.name}, min_success: 1.0, episodes: 2, task: lift}}\n"
        f"  - {{checkpoint: nowhere, min_success: 0.5}}\n"
    )
    report = tmp_path / "ci.xml"
    assert main(["ci", str(file), "--junit", str(report)]) == 1
    assert "2 passed, 5 failed" in capsys.readouterr().out
    verdicts = {
        name.removeprefix("robot-learning."): [child.tag for child in case]
        for name, case in cases(report).items()
    }
    assert verdicts == {
        "profile desk_arm": ["system-out"],
        "profile no_such_arm": ["error"],
        f"dataset {tmp_path / 'damaged'}": ["failure"],
        f"dataset {SAMPLE}": ["system-out"],
        f"replay {SAMPLE} last": ["failure"],
        f"policy {checkpoint}": ["failure"],
        f"policy {tmp_path / 'nowhere'}": ["error"],
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to check"),
        (["--checkpoint", "runs/x"], "wants --min-success"),
        (["--checkpoint", "runs/x", "--min-success", "0"], "nothing could fail"),
        (
            ["--checkpoint", "x", "--min-success", "1", "--episodes", "0"],
            "episodes: expected at least 1",
        ),
        (["--profile", "desk_arm", "--min-success", "0.5"], "goes with --checkpoint"),
        (["nowhere.yaml"], "cannot be read"),
    ],
)
def test_a_run_that_would_test_nothing_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ci", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_an_empty_dataset_is_no_success(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "empty")
    shutil.rmtree(tmp_path / "empty" / "episodes")
    (tmp_path / "empty" / "dataset.hdf5").unlink()
    assert main(["ci", "--dataset", str(tmp_path / "empty")]) == 1


def test_a_file_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "ci.yaml"
    file.write_text("policies: [{checkpoint: x, min_sucess: 0.9}]\n")
    with pytest.raises(ConfigurationError, match="min_success"):
        read_pipeline(file)


def test_a_file_names_rounds_beside_itself(tmp_path: Path) -> None:
    file = tmp_path / "ci.yaml"
    file.write_text(
        "rounds: [{dataset: lift, episodes: 2, steps: 30}, {dataset: lift, checkpoint: a}]"
    )
    first, second = read_pipeline(file).rounds
    assert (first.dataset, first.checkpoint) == (tmp_path / "lift", None)
    assert (first.episodes, first.steps, first.seed) == (2, 30, 0)
    assert (second.checkpoint, second.episodes) == (tmp_path / "a", 1)
    file.write_text("rounds: [{dataset: lift, episodes: 0}]")
    with pytest.raises(ConfigurationError, match="episodes"):
        read_pipeline(file)


def test_a_round_needs_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "--round", str(tmp_path / "none")]) == 1
    assert "no dataset here" in capsys.readouterr().out


def test_any_text_makes_valid_xml() -> None:
    hostile = 'a <b> & "c" \x00\x1b[31m \ud800 ü\n]]> second line'
    found = ElementTree.fromstring(junit([Result("policy", hostile, Verdict.FAILED, hostile, 0.5)]))
    failure = found.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.text is not None and "]]> second line" in failure.text
    assert "\x1b" not in failure.text
    assert found.find("testsuite").get("failures") == "1"
