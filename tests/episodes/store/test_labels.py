"""Label layers: the rule, what is refused, and what happens when adding one goes wrong."""

import multiprocessing
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_learning.core import files
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import EpisodeError, FileAccessError
from robot_learning.episodes.format.schema import Column, DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store import labels
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.labels import add_label_layer, rows_by_hand, set_removed
from robot_learning.episodes.store.recovery import repair_dataset, verify_dataset

DETAILS = {"author": "ana", "method": "by hand", "created_utc": "2026-01-01"}
Recorded = tuple[DatasetFolder, Path]


@pytest.fixture
def recorded(folder: DatasetFolder, record_episode) -> Recorded:
    """One episode of 26 rows that a policy drove."""
    with folder.lock():
        saved = record_episode(folder, 0.5, source=Source.POLICY)
    return folder, folder.episodes_path / saved.summary.name


def add(folder: DatasetFolder, path: Path, rows: slice = slice(None), **changed: object) -> int:
    with Episode(path) as episode:
        mask = np.zeros(episode.rows, bool)
    mask[rows] = True
    actions = np.where(mask[:, None], 5.0, np.nan) * np.ones(3)
    given = {"actions": actions, "mask": mask, **DETAILS, **changed}
    with folder.lock():
        return add_label_layer(folder, path.name, **given)  # type: ignore[arg-type]


def test_a_layer_counts_for_its_own_episode_only(recorded: Recorded, record_episode) -> None:
    folder, path = recorded
    with folder.lock():
        other = folder.episodes_path / record_episode(folder, 0.6).summary.name
    with Episode(path) as first, Episode(other) as second:
        digest, wrong = first.recording_digest, second.recording_digest
    before = path.read_bytes()
    with pytest.raises(EpisodeError, match=f"{path.name}: the labels were made for another"):
        add(folder, path, digest=wrong)
    assert path.read_bytes() == before
    assert add(folder, path, digest=digest) == 0
    # Relabelling changes the labels and not what was recorded.
    with Episode(path) as episode:
        assert episode.recording_digest == digest
    assert add(folder, path, digest=digest) == 1
    assert verify_dataset(folder) == []


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"actions": np.ones((25, 3))}, r"shape \(25, 3\).*expected \(26, 3\)"),
        ({"actions": np.ones((26, 4))}, r"expected \(26, 3\)"),
        ({"actions": np.ones(26)}, r"expected \(26, 3\)"),
        ({"mask": np.ones(25, bool)}, r"bool \(26,\)"),
        ({"mask": np.ones(26, np.uint8)}, "a mask of uint8"),
        ({"actions": np.ones((26, 3), np.int64)}, "int64, expected floating point"),
        ({"actions": np.ones((26, 3), object)}, "object, expected floating point"),
        ({"actions": np.ones((26, 3), complex)}, "complex128, expected floating point"),
        ({"actions": np.full((26, 3), np.nan), "mask": np.arange(26) == 7}, "NaN or infinite"),
        ({"actions": np.full((26, 3), np.inf)}, "NaN or infinite"),
    ],
)
def test_wrong_labels_are_refused_before_anything_is_written(
    recorded: Recorded, changed: dict[str, object], text: str
) -> None:
    folder, path = recorded
    before = everything(folder.path)
    with pytest.raises(EpisodeError, match=text):
        add(folder, path, **changed)
    assert everything(folder.path) == before


def test_expert_rows_are_the_humans_and_the_relabelled(
    recorded: Recorded, record_episode: Callable[..., object]
) -> None:
    folder, path = recorded
    with folder.lock():
        record_episode(folder, 0.3)
    rows = Dataset(folder.path).expert_rows()
    assert rows.tolist() == [False] * 26 + [True] * 16
    add(folder, path, slice(4, 6))
    add(folder, path, slice(5, 9))
    dataset = Dataset(folder.path)
    assert np.flatnonzero(dataset.expert_rows()[:26]).tolist() == [4, 5, 6, 7, 8]
    chosen = dataset.select(names=[path.name])
    assert int(chosen.expert_rows().sum()) == 5
    assert chosen.expert_rows() is chosen.expert_rows()


def test_what_was_imported_is_kept_when_it_is_relabelled(tmp_path: Path) -> None:
    columns = Column("obs/joint_position", (3,)), Column("actions", (3,))
    info = DatasetInfo("arm", "lift", 50.0, (Stream("all", 50.0, 0.1, columns),))
    folder = DatasetFolder.create_or_open(tmp_path / "a", info)
    with folder.lock():
        recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
        for row in range(10):
            values = {column.path: np.arange(3.0) + row for column in columns}
            recorder.push("all", row * 20_000_000, row * 20_000_000, values)
            if row == 0:
                recorder.start(EpisodeMetadata(), 0)
            recorder.advance(row * 20_000_000)
        path = folder.episodes_path / recorder.stop("success").summary.name
    dataset = Dataset(folder.path)
    before = dataset.array("actions")
    assert dataset.expert_rows().all()
    assert add(folder, path, slice(2, 4)) == 1
    assert add(folder, path, slice(3, 6)) == 2
    with Episode(path) as episode:
        recorded, first, second = episode.labels()
        actions = episode.column("actions")
    assert (recorded.method, first.method) == ("as recorded", "by hand")
    np.testing.assert_array_equal(recorded.actions.astype("f4"), before)
    assert recorded.mask.all()
    assert second.mask.sum() == 3
    assert (actions[2:6] == 5.0).all()
    untouched = np.delete(np.arange(10), range(2, 6))
    np.testing.assert_array_equal(actions[untouched].astype("f4"), before[untouched])
    assert verify_dataset(folder) == []


def test_a_full_disk_leaves_the_episode_whole(recorded: Recorded, tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        folder = DatasetFolder(Path(shutil.copytree(recorded[0].path, mount / "set")))
        path = folder.episodes_path / recorded[1].name
        before, size = everything(folder.path), path.stat().st_size
        # While it is copied, while HDF5 writes the layer, and just before there is enough.
        for free_bytes in (0, size // 2, size + 3000, size + 2**17):
            fill(mount, free_bytes)
            with pytest.raises(FileAccessError, match=rf"{path.name}: not changed: No space left"):
                add(folder, path)
            (mount / "filling").unlink()
            assert everything(folder.path) == before
        assert add(folder, path) == 0
        assert verify_dataset(folder) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize(
    ("instant", "is_new", "needs_repair"),
    [
        ("_reserve", False, False),
        ("write_layer", False, False),
        ("write_digests", False, False),
        ("summarise", False, False),
        ("fsync", True, True),
        ("write_index", True, True),
        (None, True, False),
    ],
)
def test_killed_at_any_instant_there_is_the_old_or_the_new_episode(
    recorded: Recorded, instant: str | None, is_new: bool, needs_repair: bool
) -> None:
    folder, path = recorded
    before = path.read_bytes()
    child = multiprocessing.get_context("fork").Process(
        target=add_and_be_killed, args=(folder, path, instant)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert (path.read_bytes() != before) == is_new
    with Episode(path) as episode:
        assert [layer.author for layer in episode.labels()] == ["ana"] * is_new
        assert episode.verify_digests() == []
        relabelled = (episode.column("actions") == 5.0).all()
        assert bool(relabelled) == is_new
    # Between the episode and its index there is an instant; the index is made anew then.
    problems = verify_dataset(folder)
    assert bool(problems) == needs_repair
    assert not problems or "the index says something else" in problems[0]
    repair_dataset(folder)
    assert verify_dataset(folder) == []
    assert len(list(folder.episodes_path.iterdir())) == 1
    assert add(folder, path) == is_new


def add_and_be_killed(folder: DatasetFolder, path: Path, instant: str | None) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at_folder(path: Path) -> None:
        if path.is_dir():
            die()

    if instant == "fsync":
        files.fsync = die_at_folder
    elif instant:
        setattr(labels, instant, die)
    add(folder, path)
    die()


def everything(path: Path) -> dict[Path, bytes]:
    return {
        file.relative_to(path): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != ".lock"
    }


def fill(mount: Path, free_bytes: int) -> None:
    """Leave so much of the disk."""
    state = os.statvfs(mount)
    (mount / "filling").write_bytes(bytes(state.f_bavail * state.f_frsize - free_bytes))


def test_a_layer_is_removed_and_restored(recorded: Recorded) -> None:
    folder, path = recorded
    before = Dataset(folder.path).array("control/policy")
    add(folder, path, slice(4, 6))
    add(folder, path, slice(5, 9), method="asked the scripted expert of lift")
    both = Dataset(folder.path).array("actions")
    with folder.lock():
        assert set_removed(folder, path.name, 1, removed=True).removed
    dataset = Dataset(folder.path)
    assert np.flatnonzero(dataset.expert_rows()[:26]).tolist() == [4, 5]
    with Episode(path) as episode:
        assert [layer.number for layer in episode.labels()] == [0]
        assert [layer.removed for layer in episode.labels(removed=True)] == [False, True]
        assert np.flatnonzero(rows_by_hand(episode)).tolist() == [4, 5]
    with folder.lock():
        set_removed(folder, path.name, 0, removed=True)
    np.testing.assert_array_equal(Dataset(folder.path).array("actions"), before)
    # A number is never used again, and what is trimmed keeps what was removed.
    assert add(folder, path, slice(20, 22)) == 2
    with folder.lock():
        for number, removed in ((2, True), (0, False), (1, False)):
            set_removed(folder, path.name, number, removed)
    np.testing.assert_array_equal(Dataset(folder.path).array("actions"), both)
    assert verify_dataset(folder) == []
    with folder.lock(), pytest.raises(EpisodeError, match=r"no label layer 7; there are: 0, 1, 2"):
        set_removed(folder, path.name, 7, removed=True)
