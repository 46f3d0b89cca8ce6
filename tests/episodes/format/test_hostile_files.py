"""Files that somebody else made: damaged, lying, or meant to do harm."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.format.errors import DatasetError, EpisodeError, SchemaVersionError
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder

FUZZ_ROUNDS = 60
ROOT = Path(__file__).parents[3]


@pytest.fixture
def episode_path(folder: DatasetFolder, record_episode) -> Path:
    with folder.lock():
        record_episode(folder, 0.4)
    return folder.episodes_path / "episode_000000.hdf5"


def replace_dataset(path: str, make: Callable[[h5py.Group, str], object]) -> Callable:
    def edit(file: h5py.File) -> None:
        del file[path]
        parent, _, name = path.rpartition("/")
        make(file[parent] if parent else file, name)

    return edit


def external_link(group: h5py.Group, name: str) -> None:
    group[name] = h5py.ExternalLink("/etc/passwd", "/x")


def external_storage(group: h5py.Group, name: str) -> None:
    group.create_dataset(name, (21, 3), "f8", external=[("/etc/passwd", 0, 504)])


def virtual_dataset(group: h5py.Group, name: str) -> None:
    layout = h5py.VirtualLayout((21, 3), "f8")
    layout[:] = h5py.VirtualSource("/tmp/elsewhere.hdf5", "x", (21, 3))
    group.create_virtual_dataset(name, layout)


def huge(group: h5py.Group, name: str) -> None:
    group.create_dataset(name, (10**12, 3), "f8", chunks=(1000, 3))


def huge_compressed(group: h5py.Group, name: str) -> None:
    made = group.create_dataset(name, (10**9, 3), "f8", chunks=(10**6, 3), compression="gzip")
    made[:1] = 1


EDITS = {
    "external link": (replace_dataset("control/human", external_link), "is a link to elsewhere"),
    "soft link": (
        replace_dataset("control/human", lambda g, n: g.__setitem__(n, h5py.SoftLink("/x"))),
        "is a link to elsewhere",
    ),
    "external storage": (
        replace_dataset("control/human", external_storage),
        "keeps its data in another file",
    ),
    "virtual": (replace_dataset("control/human", virtual_dataset), "in another file"),
    "huge": (replace_dataset("data/demo_0/actions", huge), "more than the file holds"),
    "huge compressed": (replace_dataset("data/demo_0/actions", huge_compressed), "more than the"),
    "text": (
        replace_dataset("control/human", lambda g, n: g.create_dataset(n, data=["a"] * 21)),
        "has the type object",
    ),
    "missing": (replace_dataset("control/human", lambda g, n: None), "'control/human' is missing"),
    "shorter": (
        replace_dataset("control/human", lambda g, n: g.create_dataset(n, data=np.ones((20, 3)))),
        "'control/human' has 20 rows, the episode 21",
    ),
    "another shape": (
        replace_dataset("control/human", lambda g, n: g.create_dataset(n, data=np.ones((21, 4)))),
        r"has rows of float64 \(4,\), expected float64 \(3,\)",
    ),
    "another count": (
        lambda file: file["data/demo_0"].attrs.__setitem__("num_samples", 10**9),
        "has 21 rows, the episode 1000000000",
    ),
    "unfinished": (lambda file: file.attrs.__setitem__("complete", False), "not finished"),
    "newer": (
        lambda file: file.attrs.__setitem__("schema_version", 99),
        "written with schema version 99; this version of robot_learning reads up to 1",
    ),
    "not ours": (lambda file: file.attrs.__delitem__("layout"), "no episode of robot_learning"),
    "deep": (lambda file: file.create_group("/".join("x" * 50)), "nested too deeply"),
    "no count": (
        lambda file: file["data/demo_0"].attrs.__setitem__("num_samples", np.arange(3)),
        "the attribute 'num_samples' is no whole number",
    ),
    "bad info": (lambda file: set_text(file, "dataset_info", "{"), "not valid JSON"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_a_manipulated_episode_is_refused(episode_path: Path, kind: str) -> None:
    edit, text = EDITS[kind]
    with h5py.File(episode_path, "r+") as file:
        edit(file)
    with pytest.raises((EpisodeError, DatasetError), match=text) as caught:
        Episode(episode_path)
    assert str(episode_path) in str(caught.value)


@pytest.mark.parametrize("text", ["null", "[]", "{", '{"invalid_rows": 0, "source_rows": []}'])
def test_a_quality_report_that_is_none_is_refused(episode_path: Path, text: str) -> None:
    with h5py.File(episode_path, "r+") as file:
        set_text(file, "quality", text)
    with Episode(episode_path) as episode, pytest.raises(EpisodeError, match="quality"):
        episode.summary()


def test_a_cyclic_group_is_refused(episode_path: Path) -> None:
    with h5py.File(episode_path, "r+") as file:
        file["control/again"] = file["control"]
    with pytest.raises(EpisodeError, match="nested too deeply"):
        Episode(episode_path)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_hdf5(episode_path: Path, content: bytes) -> None:
    episode_path.write_bytes(content)
    with pytest.raises(EpisodeError, match="no HDF5 file, or a damaged one"):
        Episode(episode_path)


def test_an_episode_linked_from_outside_is_refused(episode_path: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.hdf5"
    episode_path.rename(outside)
    episode_path.symlink_to(outside)
    with pytest.raises(EpisodeError, match="is a link that leaves its folder"):
        Episode(episode_path)


def test_a_jpeg_that_claims_to_be_enormous_is_not_decoded(episode_path: Path) -> None:
    with h5py.File(episode_path, "r+") as file:
        frame = file["images/front"][0].copy()
        start = bytes(frame).index(b"\xff\xc0")
        frame[start + 5 : start + 9] = 200
        file["images/front"][0] = frame
    with (
        Episode(episode_path) as episode,
        pytest.raises(EpisodeError, match="row 0: the image is 51400x51400, expected 64x48"),
    ):
        episode.frame("images/front", 0)


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../other/episode_000000.hdf5", "episodes/../../episode_000000.hdf5",
     "episodes/sub/episode_000000.hdf5"],
)  # fmt: skip
def test_an_index_that_leaves_the_folder_is_refused(
    folder: DatasetFolder, episode_path: Path, target: str
) -> None:
    with h5py.File(folder.index_path, "r+") as file:
        del file["data/demo_0"]
        file["data/demo_0"] = h5py.ExternalLink(target, "data/demo_0")
    with pytest.raises(EpisodeError, match="no episode of this dataset, or not its own; refused"):
        Dataset(folder.path)


def test_an_index_with_a_hostile_table_is_refused(
    folder: DatasetFolder, episode_path: Path
) -> None:
    with h5py.File(folder.index_path, "r+") as file:
        summary = json.loads(bytes(file["episodes"][:]))
        line = json.dumps({**summary, "name": "../../etc/passwd"}) + "\n"
        file["episodes"].resize(len(line), axis=0)
        file["episodes"][:] = np.frombuffer(line.encode(), np.uint8)
    with pytest.raises(EpisodeError, match=r"dataset.hdf5: damaged: .* is not the name"):
        Dataset(folder.path)
    with h5py.File(folder.index_path, "r+") as file:
        del file["episodes"]
        file["episodes"] = h5py.ExternalLink("/etc/passwd", "x")
    with pytest.raises(EpisodeError, match="'episodes' is a link; refused"):
        Dataset(folder.path)


def test_a_newer_dataset_is_refused_with_both_versions(folder: DatasetFolder) -> None:
    plain = json.loads(folder.info_path.read_text())
    folder.info_path.write_text(json.dumps({**plain, "schema_version": 2, "new_key": 1}))
    with pytest.raises(SchemaVersionError, match=r"version 2; .* reads up to 1. Upgrade"):
        DatasetFolder(folder.path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rate_hz": -1}, "rate_hz: expected above 0"),
        ({"robt": "x"}, "unknown key 'robt'; did you mean 'robot'"),
        ({"streams": []}, "no stream has the column 'actions'"),
        ({"env_args": "["}, "env_args: not valid JSON"),
    ],
)
def test_a_malformed_description_names_its_key(
    folder: DatasetFolder, change: dict, text: str
) -> None:
    plain = json.loads(folder.info_path.read_text())
    folder.info_path.write_text(json.dumps({**plain, **change}))
    with pytest.raises(DatasetError, match=text):
        Dataset(folder.path)


@pytest.mark.parametrize("path", ["../x", "obs/../../x", "data/x", "obs/a/b", "streams/x", "/obs"])
def test_a_column_cannot_lie_anywhere(info: DatasetInfo, path: str) -> None:
    text = info.to_json().replace("obs/joint_position", path)
    with pytest.raises(DatasetError, match="not a valid path"):
        DatasetInfo.from_json(text, "dataset.json")


FUZZ = """
import random, sys
from pathlib import Path
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.format.attributes import set_text
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.episode import Episode
source, target, kind, seed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
data = source.read_bytes()
rounds = int(sys.argv[5])
tried = refused = 0
draw = random.Random(seed)
while tried < rounds:
    tried += 1
    damaged = bytearray(data)
    for _ in range(draw.choice((1, 3, 30))):
        place = draw.randrange(len(data)) if draw.random() < 0.5 else draw.randrange(20000)
        damaged[place % len(data)] = draw.randrange(256)
    if draw.random() < 0.1:
        del damaged[draw.randrange(len(damaged)):]
    target.write_bytes(damaged)
    (target.parent / "last").write_text(f"{kind} {seed} {tried}")
    try:
        if kind == "index":
            Dataset(sys.argv[6])
            continue
        with Episode(target) as episode:
            for column in episode.info.columns:
                if column.is_image:
                    episode.frame(column.path, tried % max(episode.rows, 1))
                else:
                    episode.column(column.path)
            episode.verify_digests(), episode.quality, episode.metadata, episode.labels()
            episode.summary()
    except RobotLearningError:
        refused += 1
print(tried, refused)
"""


@pytest.mark.parametrize("kind", ["episode", "index"])
def test_no_damage_raises_anything_but_our_errors(
    folder: DatasetFolder, episode_path: Path, tmp_path: Path, kind: str
) -> None:
    """In a process of its own, for the HDF5 library might crash or hang."""
    if kind == "episode":
        source, target = tmp_path / "source", episode_path
    else:
        source, target = tmp_path / "source", folder.index_path
    shutil.copyfile(target, source)
    arguments = [str(source), str(target), kind, "7", str(FUZZ_ROUNDS), str(folder.path)]
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tried, refused = map(int, done.stdout.split()[-2:])
    assert tried == FUZZ_ROUNDS
    assert refused > 0
