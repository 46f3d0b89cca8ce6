"""`robot-learning dataset import` and `export`, as typed."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.cli.main import main
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset

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


def killed_at(instant: str, work: Callable[[], object]) -> None:
    """Do it in a process that kills itself as soon as it gets there."""

    def child() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(instant, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("verb", "instant"),
    [
        ("import", "robot_learning.episodes.imports.importer._store_splits"),
        ("merge", "pathlib.Path.rename"),
        ("export", "pathlib.Path.rename"),
        ("split", "robot_learning.episodes.dataset.dataset.Dataset.save_splits"),
    ],
)
def test_a_command_that_was_killed_may_be_given_again(
    verb: str, instant: str, act_folder: Path, tmp_path: Path
) -> None:
    path, out = tmp_path / "dataset", tmp_path / "out"
    commands = {
        "merge": ["merge", str(path), "--into", str(out)],
        "export": ["export", str(path), str(out), "--format", "robomimic"],
        "split": ["split", str(path), "train=0.5", "valid=0.5", "--into", str(out)],
    }

    def work() -> int:
        if verb == "import":
            return run_import(act_folder, path, "--rate-hz", "50")
        return main(["dataset", *commands[verb]])

    if verb != "import":
        assert run_import(act_folder, path, "--rate-hz", "50") == 0
    killed_at(instant, work)
    made = path if verb == "import" else out
    assert made.exists() == (verb == "split"), "half made, and looks whole"
    assert work() == 0
    assert verify_dataset(DatasetFolder(path)) == []
    assert not list(tmp_path.glob(".*")), "what the killed process left behind"
    assert len(DatasetFolder(path).episode_names()) == 2


def test_an_import_that_was_killed_within_an_episode_records_it_anew(
    act_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dataset"
    killed_at(
        "robot_learning.episodes.imports.act.finish_episode",
        lambda: run_import(act_folder, path, "--rate-hz", "50"),
    )
    assert list(tmp_path.glob(".*/episodes/*.partial"))
    assert run_import(act_folder, path, "--rate-hz", "50") == 0
    assert len(DatasetFolder(path).episode_names()) == 2
    assert verify_dataset(DatasetFolder(path)) == []


@pytest.mark.parametrize("same", [True, False])
def test_an_import_goes_on_with_what_was_killed_of_the_same_source_alone(
    same: bool, act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "dataset", tmp_path / "other"
    killed_at(
        "robot_learning.episodes.imports.importer._store_splits",
        lambda: run_import(act_folder, path, "--rate-hz", "50"),
    )
    shutil.copytree(act_folder, other)
    assert run_import(act_folder if same else other, path, "--rate-hz", "50") == 0
    assert ("it is in the dataset already" in capsys.readouterr().out) == same
    assert len(DatasetFolder(path).episode_names()) == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dataset", "other"]
    assert not list(path.glob(".imported*"))


def test_an_import_that_is_given_again_adds_nothing_twice(
    act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dataset"
    for _ in range(2):
        assert run_import(act_folder, path, "--rate-hz", "50") == 0
    said = capsys.readouterr().out
    assert "an episode equal to episode_000001.hdf5: it is in the dataset already" in said
    assert len(DatasetFolder(path).episode_names()) == 2
    assert verify_dataset(DatasetFolder(path)) == []
