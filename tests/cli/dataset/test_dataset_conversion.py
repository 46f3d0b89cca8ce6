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
STORE_SPLITS = "robot_learning.episodes.imports.importer._store_splits"


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
    for format_name, option in (
        ("act", ["--units", "degrees"]),
        ("lerobot", ["--rate-hz", "50"]),
        ("lerobot", ["--by", "whole"]),
        ("act", ["--remap", "a=b"]),
        ("act", ["--skip-broken"]),
        ("rosbag", ["--jpeg"]),
    ):
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
        ("import", STORE_SPLITS),
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


@pytest.mark.parametrize("changed", ["nothing", "source", "content", "options"])
def test_an_import_goes_on_only_with_what_the_same_import_had_brought(
    changed: str, act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, source = tmp_path / "dataset", tmp_path / "source"
    shutil.copytree(act_folder, source)
    killed_at(STORE_SPLITS, lambda: run_import(source, path, "--rate-hz", "50"))
    if changed == "source":
        source = source.rename(tmp_path / "other")
    if changed == "content":
        with h5py.File(source / "episode_0.hdf5", "a") as file:
            file["action"][0] += 0.01
    options = ["--instruction", "lift it"] if changed == "options" else []
    assert run_import(source, path, "--rate-hz", "50", *options) == 0
    said, is_same = capsys.readouterr().out, changed == "nothing"
    assert ("goes on with 2 episodes of an import that was killed" in said) == is_same
    assert ("of another source, or with other options, had brought is removed" in said) != is_same
    assert len(DatasetFolder(path).episode_names()) == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dataset", source.name]
    assert not list(path.glob(".imported*"))


def at_the_end(patch: pytest.MonkeyPatch, event: Callable[[], object]) -> None:
    """Let something happen when all episodes are imported."""
    patch.setattr(STORE_SPLITS, lambda *_: event())


def test_what_came_to_the_place_during_an_import_stays(
    act_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, other = tmp_path / "dataset", tmp_path / "other"
    assert run_import(act_folder, other, "--rate-hz", "20") == 0
    at_the_end(monkeypatch, lambda: shutil.copytree(other, path))
    assert run_import(act_folder, path, "--rate-hz", "50") == 2
    assert f"what was imported lies in {tmp_path / '.dataset.new'}" in capsys.readouterr().err
    assert DatasetFolder(path).info.rate_hz == 20
    assert len(DatasetFolder(tmp_path / ".dataset.new").episode_names()) == 2


@pytest.mark.parametrize("exists", [True, False])
def test_a_place_has_one_import(
    exists: bool,
    act_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, codes = tmp_path / "dataset", list[int]()
    if exists:
        path.mkdir()
    at_the_end(monkeypatch, lambda: codes.append(run_import(act_folder, path, "--rate-hz", "20")))
    assert run_import(act_folder, path, "--rate-hz", "50") == 0
    assert codes == [2] and f"process {os.getpid()} is " in capsys.readouterr().err
    assert DatasetFolder(path).info.rate_hz == 50


@pytest.mark.parametrize("named", [".", "link"])
def test_an_empty_folder_is_used_in_its_place(
    named: str, act_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    inode = place.stat().st_ino
    monkeypatch.chdir(place if named == "." else tmp_path)
    killed_at(STORE_SPLITS, lambda: run_import(act_folder, Path(named), "--rate-hz", "50"))
    assert not (place / "dataset.json").exists()
    assert run_import(act_folder, Path(named), "--rate-hz", "50") == 0
    assert place.stat().st_ino == inode
    assert verify_dataset(DatasetFolder(place)) == []
    assert [each.name for each in place.glob(".*")] == [".lock"]


def test_an_import_that_is_stopped_says_where_it_is_and_goes_on(
    act_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    path = tmp_path / "dataset"
    with pytest.MonkeyPatch.context() as patch:
        at_the_end(patch, stop)
        assert run_import(act_folder, path, "--rate-hz", "50") == 130
    says = f"stopped; 2 episodes are in {tmp_path / '.dataset.new'}, and the same command goes on"
    assert says in capsys.readouterr().err and not path.exists()
    assert run_import(act_folder, path, "--rate-hz", "50") == 0
    assert "goes on with 2 episodes" in capsys.readouterr().out


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
