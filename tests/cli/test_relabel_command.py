"""`relabel` as it is typed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_learning.cli.main import main
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.images import decode_jpeg
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer
from robot_learning.episodes.store.recovery import verify_dataset

Demonstrated = Callable[[str, int, Path], Path]
ALWAYS_ONE = """
import numpy as np

def act(observation, info):
    if info["row"] == 4 and info["episode"].endswith("1.hdf5"):
        raise RuntimeError("cannot see")
    return np.full(7, 1.0)
"""


@pytest.fixture
def dataset(demonstrated: Demonstrated, tmp_path: Path) -> Path:
    return demonstrated("reach", 2, tmp_path / "reach")


def test_by_the_scripted_expert(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["relabel", str(dataset), "0", "--rows", "2:8"]) == 0
    said = capsys.readouterr().out
    assert "episode_000000: layer 0, 6 rows labelled" in said
    assert "episode_000001" not in said
    assert main(["relabel", str(dataset), "--list"]) == 0
    listed = capsys.readouterr().out
    assert "the scripted expert of reach" in listed
    assert main(["relabel", str(dataset), "--only", "policy"]) == 1
    assert capsys.readouterr().out == (
        "no row was labelled: --only policy chooses none in these episodes; leave it out to label "
        "all rows\n"
    )


def test_layers_are_listed_in_narrow_cells_and_sentences_stand_below(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, name = DatasetFolder(dataset), "episode_000000.hdf5"
    rows = Dataset(dataset).episodes[0].rows
    facts = {"created_utc": "2026-01-01T12:00:00+00:00", "author": "ana"}
    method = "keyboard, by step; state restored exactly for 3 of 3 rows"
    with folder.lock():
        mask = np.arange(rows) < 3
        add_label_layer(folder, name, np.zeros((rows, 7)), mask, method=method, **facts)
    assert main(["relabel", str(dataset), "1", "--rows", "2:8"]) == 0
    capsys.readouterr()
    assert main(["relabel", str(dataset), "--list"]) == 0
    *table, remark = capsys.readouterr().out.splitlines()
    first, second = (line.split("   ") for line in table if "episode_" in line)
    assert "keyboard, by step" in [cell.strip() for cell in first]
    assert "asked" in [cell.strip() for cell in second]
    assert remark == "episode_000000, layer 0: state restored exactly for 3 of 3 rows"


def test_episodes_without_a_chosen_row_are_counted(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (summary.rows for summary in Dataset(dataset).episodes)
    assert first != second
    assert main(["relabel", str(dataset), "--rows", f"{min(first, second)}:"]) == 0
    labelled, counted = capsys.readouterr().out.splitlines()
    assert "layer 0" in labelled
    assert counted == f"--rows {min(first, second)}: chooses no row in 1 episode"


def test_an_import_whose_task_nobody_knows_is_labelled_by_the_expert_that_is_named(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = dataset / "dataset.json"
    info.write_text(json.dumps({**json.loads(info.read_text()), "task": "imported"}))
    assert main(["relabel", str(dataset), "0", "--rows", "2:8"]) == 2
    said = capsys.readouterr().err
    assert "task 'imported' has no scripted expert; name one with --expert: " in said
    assert main(["relabel", str(dataset), "0", "--rows", "2:8", "--expert", "reach"]) == 0
    assert "layer 0, 6 rows labelled" in capsys.readouterr().out
    (layer,) = Dataset(dataset).episode("episode_000000.hdf5").labels()
    assert layer.author == "the scripted expert of reach"


def test_by_any_callable_until_it_raises(
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "own_expert.py").write_text(ALWAYS_ONE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["relabel", str(dataset), "--expert", "own_expert:act", "--author", "ana"]) == 2
    said = capsys.readouterr()
    assert "numbers clipped to the limits" in said.out
    problem = said.err.strip().splitlines()
    assert "episode_000001.hdf5, row 4: the expert raised RuntimeError('cannot see')" in problem[-1]
    labelled = [
        [layer.author for layer in Dataset(dataset).episode(summary.name).labels()]
        for summary in Dataset(dataset).episodes
    ]
    assert labelled == [["ana"], []]
    rows = Dataset(dataset).episodes[0].rows
    assert (np.isclose(Dataset(dataset).array("actions")[:rows, 0], 1.0)).all()


def test_an_expert_leaves_what_a_person_labelled_unless_it_is_told(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, name = DatasetFolder(dataset), "episode_000000.hdf5"
    with Dataset(dataset).episode(name) as episode:
        mask = np.arange(episode.rows) // 3 == 1
        actions = np.full((episode.rows, 7), 0.25)
    with folder.lock():
        add_label_layer(
            folder,
            name,
            actions,
            mask,
            author="ana",
            method="keyboard, by step",
            created_utc="2026-01-01",
        )
    assert main(["relabel", str(dataset), "0", "--rows", "2:8"]) == 0
    said = capsys.readouterr().out
    assert "layer 1, 3 rows labelled" in said
    assert "3 of them where a person drove" in said
    assert "3 rows left as a person has labelled them (--over-hand labels them, too)" in said
    assert (Dataset(dataset).array("actions")[3:6] == 0.25).all()
    assert main(["relabel", str(dataset), "0", "--rows", "2:8", "--over-hand"]) == 0
    assert "layer 2, 6 rows labelled" in capsys.readouterr().out
    covered = Dataset(dataset).array("actions")[3:6]
    assert not (covered == 0.25).any()
    # What was covered comes back, and what came back is covered again.
    assert main(["relabel", str(dataset), "0", "--remove", "2"]) == 0
    assert f"robot-learning relabel {dataset} 0 --restore 2" in capsys.readouterr().out
    assert (Dataset(dataset).array("actions")[3:6] == 0.25).all()
    assert main(["relabel", str(dataset), "--list"]) == 0
    assert "removed" in capsys.readouterr().out
    assert main(["relabel", str(dataset), "--restore", "2"]) == 0
    np.testing.assert_array_equal(Dataset(dataset).array("actions")[3:6], covered)
    assert main(["relabel", str(dataset), "1", "--remove", "2"]) == 2
    assert "no chosen episode has a label layer 2" in capsys.readouterr().err


@pytest.fixture
def rollout(demonstrated: Demonstrated, tmp_path: Path) -> Path:
    return demonstrated("lift", 1, tmp_path / "lift")


@pytest.mark.parametrize("method", ["step", "segment"])
def test_with_a_device(
    rollout: Path, method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Dataset(rollout).episode("episode_000000.hdf5") as episode:
        before = {column.path: episode.column(column.path) for column in episode.info.columns}
        rows = episode.rows
    picture = tmp_path / "live.jpg"
    arguments = ["relabel", str(rollout), "0", "--device", "scripted", "--method", method]
    # A hand that reacts late has nothing to say for the first 0.2 s, in which no time passes.
    assert main([*arguments, "--rows", "20:40", "--author", "ana", "--picture", str(picture)]) == 0
    said = capsys.readouterr().out
    assert f"simulated state restored exactly in {rows} of {rows} rows" in said
    assert "layer 0, 20 rows labelled; state restored exactly for 20 of 20 rows" in said
    assert picture.read_bytes()[:2] == b"\xff\xd8"

    dataset = Dataset(rollout)
    episode = dataset.episode("episode_000000.hdf5")
    (layer,) = episode.labels()
    assert (layer.author, layer.method.split(";")[0]) == ("ana", f"scripted, by {method}")
    assert layer.created_utc
    assert np.flatnonzero(layer.mask).tolist() == list(range(20, 40))
    for path, values in before.items():
        if path != "actions":
            np.testing.assert_array_equal(episode.column(path), values)
    # The rule: the newest layer where it covers a row, else what the human meant.
    expected = np.where(layer.mask[:, None], layer.actions, before["control/human"])
    np.testing.assert_array_equal(episode.column("actions"), expected)
    assert np.isfinite(layer.actions[20:40]).all()
    assert (layer.actions[20:40] != before["actions"][20:40]).any()
    assert verify_dataset(DatasetFolder(rollout)) == []


def test_the_scripted_hand_starts_over_where_rows_are_left_out(rollout: Path) -> None:
    chosen = ["relabel", str(rollout), "0", "--rows", "20:", "--every", "10"]
    assert main(chosen) == 0
    assert main([*chosen, "--device", "scripted"]) == 0
    asked, moved = Dataset(rollout).episode("episode_000000.hdf5").labels()
    np.testing.assert_array_equal(asked.mask, moved.mask)
    # The hand trembles by 2 mrad, and gets as far as the joints do within a row.
    assert np.abs(asked.actions - moved.actions)[asked.mask].max() < 0.02


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0", "--device", "keybord"], "did you mean 'keyboard'"),
        (["0", "--device", "leader_arm"], "a leader arm is heard over ROS"),
        (["--device", "scripted"], "name the episodes"),
        (["0", "--device", "scripted", "--expert", "a:b"], "only one of them can label"),
        (["0", "--device", "scripted", "--method", "segment"], "give it as --rows"),
        (["0", "--device", "scripted", "--speed", "0"], "--speed: expected above 0"),
        (["0", "--device", "scripted", "--picture", "x.gif"], r"ends with .jpg"),
        (["0", "--device", "scripted", "--picture", "/nowhere/x.jpg"], "no such folder"),
        (["0", "--device", "scripted", "--rows", "5:5"], "no row was chosen"),
        (["0", "--restart", "--window"], "--restart, --window: only with --device"),
        (["0", "--method", "segment", "--speed", "1"], "--method, --speed: only with --device"),
    ],
)
def test_a_device_that_cannot_label_is_one_line(
    dataset: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["relabel", str(dataset), *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error
    assert main(["relabel", str(dataset), "--list"]) == 0
    assert "no label layer, and no interrupted labelling session" in capsys.readouterr().out


def test_episodes_that_are_still_cut_off_are_told(
    rollout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (rollout / "episodes" / "episode_000001.hdf5.partial").write_bytes(b"")
    assert main(["relabel", str(rollout), "1", "--device", "scripted"]) == 2
    said = capsys.readouterr()
    assert "1 episode(s) were cut off while they were recorded" in said.out
    assert f"dataset repair {rollout}" in said.out and "unknown episode '1'" in said.err


def test_a_recording_of_no_known_scene_is_shown_with_the_robot_alone(
    rollout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # As a real arm's: its task is none that could be simulated.
    monkeypatch.setattr("robot_learning.relabeling.ghost_scene.TASKS", {})
    picture = tmp_path / "live.jpg"
    arguments = ["relabel", str(rollout), "0", "--device", "scripted", "--picture", str(picture)]
    assert main([*arguments, "--rows", "20:40"]) == 0
    said = capsys.readouterr().out
    assert "not a simulated scene: recorded joints and images are shown" in said
    assert (
        "20 rows labelled; state restored exactly for 0 of 20 rows, joints at most 0.0000" in said
    )
    pixels = decode_jpeg(picture.read_bytes(), 480, 640)
    # It stands on a table, in the light.
    assert pixels.std() > 10 and np.median(pixels) > 100
