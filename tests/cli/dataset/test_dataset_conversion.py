"""`robot-learning dataset import` and `export`, as typed."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.cli.main import main
from robot_learning.core.profile_loader import load_profile

ROWS = 12


@pytest.fixture(scope="module")
def act_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two episodes of desk_arm in ACT's layout, without cameras."""
    folder, joints = tmp_path_factory.mktemp("act"), len(load_profile("desk_arm").joint_names)
    for number in range(2):
        rows = np.linspace(number, number + 1, ROWS * joints, dtype=np.float32)
        with h5py.File(folder / f"episode_{number}.hdf5", "w") as file:
            file.attrs["sim"] = True
            file["action"] = file["observations/qpos"] = rows.reshape(ROWS, joints)
    return folder


def run_import(act_folder: Path, path: Path, *options: str) -> int:
    wanted = ["--format", "act", "--robot", "desk_arm", *options]
    return main(["dataset", "import", str(act_folder), str(path), *wanted])


def test_there_and_into_another_format(
    act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dataset"
    assert run_import(act_folder, path, "--rate-hz", "50", "--task", "reach") == 0
    assert f"2 episodes, {2 * ROWS} rows, 0 of them invalid" in capsys.readouterr().out
    described = json.loads((path / "dataset.json").read_text())
    names = list(load_profile("desk_arm").joint_names)
    assert (described["robot"], described["task"]) == ("desk_arm", "reach")
    assert described["joint_names"] == names
    out = tmp_path / "lerobot"
    wanted = ["--format", "lerobot", "--valid-only"]
    assert main(["dataset", "export", str(path), str(out), *wanted]) == 0
    assert f"2 episodes, {2 * ROWS} rows for lerobot" in capsys.readouterr().out
    info = json.loads((out / "meta/info.json").read_text())
    assert (info["robot_type"], info["fps"], info["video_path"]) == ("desk_arm", 50, None)
    assert info["features"]["action"]["names"] == names
    wanted = ["--format", "lerobot", "--robot", "desk_arm"]
    assert main(["dataset", "import", str(out), str(tmp_path / "back"), *wanted]) == 0
    said = capsys.readouterr().out
    assert f"2 episodes, {2 * ROWS} rows, 0 of them invalid" in said and "left out" not in said
    assert json.loads((tmp_path / "back/dataset.json").read_text())["joint_names"] == names


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--rate-hz is missing: files of act do not say"),
        (["--rate-hz", "0"], "the rate is 0.0; state one above 0 Hz"),
    ],
)
def test_an_import_without_a_rate_is_refused(
    act_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    says: str,
) -> None:
    assert run_import(act_folder, tmp_path / "dataset", *options) == 2
    errors = capsys.readouterr().err
    assert says in errors and errors.count("\n") == 1
    assert not (tmp_path / "dataset").exists()


def test_options_of_another_format_are_refused(
    act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "dataset")
    wanted = ["--format", "robomimic", "--codec", "h264"]
    assert main(["dataset", "export", path, str(tmp_path / "out"), *wanted]) == 2
    assert "--format robomimic has no use for the option of codec" in capsys.readouterr().err
    for format_name, option in (("act", ["--units", "degrees"]), ("lerobot", ["--rate-hz", "50"])):
        wanted = ["--format", format_name, "--robot", "desk_arm", *option]
        assert main(["dataset", "import", str(act_folder), path, *wanted]) == 2
        says = f"--format {format_name} has no use for {option[0]}"
        assert says in capsys.readouterr().err
    wanted = ["--format", "rosbag", "--robot", "desk_arm", "--remap", "joint_states"]
    assert main(["dataset", "import", str(act_folder), path, *wanted]) == 2
    assert "--remap joint_states: expected OURS=THEIRS" in capsys.readouterr().err
