"""Datasets of LeRobot: what is in them is taken."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lerobot_folders import (
    EPISODES,
    LENGTHS,
    NAMES,
    RATE_HZ,
    ROWS,
    TASKS,
    TOP,
    VECTORS,
    WRIST,
    arrow,
    change,
    change_info,
    check_frames,
    data,
    feature,
    level,
    noted,
    parquet,
    png,
    video,
    write_v2,
    write_v3,
    write_video,
)

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.lerobot import LeRobotExporter
from robot_learning.episodes.format.errors import DatasetError
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import RowFault
from robot_learning.episodes.imports.importer import import_dataset
from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_both_layouts_give_the_same_rows(version: str, v3: Path, tmp_path: Path) -> None:
    root = v3
    if version == "v2.1":
        root = tmp_path / "v2"
        write_v2(root)
    report, notebook = noted(root)
    info, metadata = notebook.folder.info, notebook.metadata
    np.testing.assert_array_equal(notebook.column("obs/joint_position"), VECTORS[0])
    np.testing.assert_array_equal(notebook.column("actions"), VECTORS[1])
    assert info.joint_names == tuple(NAMES) == info.column("actions").names
    assert info.rate_hz == RATE_HZ
    assert [each.instruction for each in metadata] == list(TASKS)
    assert notebook.outcomes == ["success", "failure", "success"]
    for path in ("intervention", "rewards"):
        assert notebook.column(path).sum() == len(LENGTHS)
    assert np.diff(notebook.ticks_ns[:4]).tolist() == [100_000_000] * 3
    assert report.left_out == {"language": "of the type string, not numbers in the tables"}
    check_frames(notebook.episodes)
    assert notebook.lost == 0
    notes = metadata[2].notes
    assert notes["imported_item"] == "episode 2" and notes["source_version"] == version


def test_every_usual_codec_is_read(tmp_path: Path) -> None:
    # H.264 is that of all other tests.
    write_v3(tmp_path, ("libx265", "libsvtav1", "libvpx-vp9"))
    check_frames(noted(tmp_path)[1].episodes)


def test_a_row_without_a_frame_is_invalid(v3: Path, tmp_path: Path) -> None:
    shutil.copytree(v3, tmp_path / "source")
    write_video(tmp_path / "source" / video(WRIST, 0), [level(WRIST, row) for row in range(2)])
    report = import_dataset(tmp_path / "source", tmp_path / "out", LeRobotImporter("someone"))
    invalid = np.zeros(ROWS)
    invalid[2:4] = RowFault.FRAME_LOST
    assert verify_dataset(DatasetFolder(tmp_path / "out")) == []
    dataset = Dataset(tmp_path / "out")
    np.testing.assert_array_equal(dataset.array("invalid"), invalid)
    assert abs(dataset.episode(dataset.episodes[1].name).frame("images/top", 2).mean() - 110) < 6
    assert f"'{WRIST}' has no frame for 2 rows: invalid here" in report.notes


@pytest.mark.parametrize("version", ["3.0", "2.1"])
def test_our_own_export_comes_back_equal(version: str, small_dataset: Path, tmp_path: Path) -> None:
    dataset = Dataset(small_dataset)
    export_dataset(dataset, tmp_path / "lerobot", LeRobotExporter(version=version))
    report, back = noted(tmp_path / "lerobot", LeRobotImporter("desk_arm"))
    assert (len(back.rows), back.lost, report.left_out) == (dataset.rows, 0, {})
    for path in ("actions", "obs/joint_position", "obs/joint_velocity"):
        np.testing.assert_array_equal(back.column(path), dataset.array(path).astype(np.float32))
    for path in ("control/source", "intervention"):
        np.testing.assert_array_equal(back.column(path), dataset.array(path))
        assert back.folder.info.column(path).dtype == dataset.info.column(path).dtype
    assert back.folder.info.joint_names == dataset.info.joint_names
    assert back.outcomes == [each.outcome for each in dataset.episodes]
    assert [each.instruction for each in back.metadata] == [
        each.instruction for each in dataset.episodes
    ]
    # The notebook counts from 1.
    names = {each.name: f"episode_{n + 1:06d}.hdf5" for n, each in enumerate(dataset.episodes)}
    assert {name: set(split) for name, split in report.splits.items()} == {
        name: {names[each] for each in split} for name, split in dataset.stored_splits().items()
    }
    for summary, rows in zip(dataset.episodes, back.episodes, strict=True):
        expected = dataset.episode(summary.name).frame("images/front", 3).astype(float)
        assert np.abs(rows[3]["images/front"] - expected).mean() < 6


@pytest.mark.parametrize("kind", ["png", "jpeg", "depth"])
def test_pictures_in_the_tables_are_kept_as_they_are(kind: str, v3: Path, tmp_path: Path) -> None:
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    pictures = [
        encode_jpeg(np.full((4, 6, 3), grey, np.uint8), 95)
        if kind == "jpeg"
        else png(4, 6, bytes([grey] * 24 * (1 + (kind == "depth"))), 8 * (1 + (kind == "depth")))
        for grey in range(ROWS)
    ]
    for number, section in ((0, slice(0, 9)), (1, slice(9, ROWS))):
        stored = [{"bytes": picture, "path": "x.png"} for picture in pictures[section]]
        table = parquet.read_table(root / data(number)).append_column(TOP, arrow.array(stored))
        parquet.write_table(table, root / data(number))
    feature(TOP, dtype="image", info={"is_depth_map": kind == "depth"})(root)
    # An episode that is left out in between does not shift the others' frames.
    change(root / EPISODES, "length", [4, 6, 3])
    report, notebook = noted(root)
    assert "it has 5 rows there, and 6" in report.left_out["episode 1"]
    frames = [row[f"{'images' if kind == 'jpeg' else 'obs'}/top"] for row in notebook.rows]
    greys = [0, 1, 2, 3, 9, 10, 11]
    if kind == "jpeg":
        assert frames == [pictures[grey] for grey in greys]
    elif kind == "png":
        assert [(each.shape, int(each.mean())) for each in frames] == [
            ((4, 6, 3), g) for g in greys
        ]
    else:
        assert [(each.shape, int(each.mean())) for each in frames] == [
            ((4, 6, 1), 257 * grey) for grey in greys
        ]


def test_degrees_are_converted_only_when_asked(v3: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'someone' has no profile, which says which"):
        LeRobotImporter("someone", units="degrees")
    profile = load_profile("desk_arm")
    width = len(profile.joint_names)
    root = tmp_path / "source"
    shutil.copytree(v3, root)
    degrees = np.tile(np.linspace(0, 30, width), (ROWS, 1)).astype(np.float32)
    for path, section in zip(
        sorted((root / "data").rglob("*.parquet")), (slice(0, 9), slice(9, ROWS)), strict=True
    ):
        for name in ("action", "observation.state"):
            change(path, name, list(degrees[section]))
    names = [f"{name}.pos" for name in reversed(profile.joint_names)]
    for name in ("action", "observation.state"):
        change_info(
            root, lambda info, n=name: info["features"][n].update(shape=[width], names=names)
        )
    importer = LeRobotImporter("desk_arm", profile=profile)
    report, notebook = noted(root, importer)
    np.testing.assert_array_equal(notebook.column("actions"), degrees[:, ::-1])
    assert any("leaves the limits of 'desk_arm'" in note for note in report.notes)
    assert any("if these are degrees, import with --units degrees" in n for n in report.notes)
    importer = LeRobotImporter("desk_arm", profile=profile, units="degrees")
    report, notebook = noted(root, importer)
    gripper = profile.arms[0].gripper
    assert gripper is not None
    turned = [name != gripper.joint for name in profile.joint_names]
    # In the robot's order, although the source has the opposite one.
    expected = degrees.astype(float)[:, ::-1]
    expected = np.where(turned, np.deg2rad(expected), expected)
    for path in ("actions", "obs/joint_position"):
        np.testing.assert_allclose(notebook.column(path), expected, rtol=1e-12)
    assert any(f"as stored: {gripper.joint}" in note for note in report.notes)
    (root / "meta/robot_learning.json").write_text('{"episodes": []}')
    with pytest.raises(ConfigurationError, match="an export of this package, in radians already"):
        importer.describe(root)


def test_a_killed_import_goes_on(v3: Path, tmp_path: Path) -> None:
    root, out, beside = tmp_path / "source", tmp_path / "out", tmp_path / ".out.new"
    shutil.copytree(v3, root)
    change_info(root, lambda info: info.update(splits={"train": "0:2", "test": "2:3"}))
    importer = LeRobotImporter("someone")

    # A process of its own: one that is forked from threads of PyArrow's may never end.
    code = f"""if True:
        import os, pathlib, signal
        from robot_learning.episodes.imports.importer import import_dataset
        from robot_learning.episodes.imports.lerobot.importer import LeRobotImporter
        def kill(done, total):
            if done == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        root, out = pathlib.Path({str(root)!r}), pathlib.Path({str(out)!r})
        import_dataset(root, out, LeRobotImporter("someone"), progress=kill)
    """
    child = subprocess.run([sys.executable, "-c", code], check=False)
    assert child.returncode == -signal.SIGKILL
    assert not out.exists() and len(DatasetFolder(beside).episode_names()) == 2
    for new, present in ((1, 2), (0, 3)):
        report, dataset = import_dataset(root, out, importer), Dataset(out)
        assert (len(report.episodes), report.present) == (new, present)
        np.testing.assert_array_equal(dataset.array("actions"), VECTORS[1])
        assert {k: len(v) for k, v in dataset.stored_splits().items()} == {"train": 2, "test": 1}
    # What is left in a dataset that was there, where an import is killed within an episode.
    episodes = out / "episodes"
    shutil.copy(episodes / "episode_000001.hdf5", episodes / "episode_000007.hdf5.partial")
    (episodes / "episode_000008.hdf5.partial").write_bytes(b"somebody's recording")
    assert import_dataset(root, out, importer).episodes == []
    assert [e.name for e in episodes.glob("*.partial")] == ["episode_000008.hdf5.partial"]


def test_one_dataset_has_one_unit(v3: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    import_dataset(v3, out, LeRobotImporter("someone"))
    names = DatasetFolder(out).episode_names()
    with pytest.raises(DatasetError, match="in the dataset already, with units as 'stored'"):
        import_dataset(v3, out, LeRobotImporter("someone", units="radians"))
    assert DatasetFolder(out).episode_names() == names
    report = import_dataset(v3, out, LeRobotImporter("someone"))
    assert not any("units are as stored" in note for note in report.notes), "nothing was recorded"
