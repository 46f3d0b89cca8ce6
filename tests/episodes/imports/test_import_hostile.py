"""Files of other tools that are damaged or hostile: one clear error, and nothing is left behind."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError, RobotLearningError
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import Importer, import_dataset
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.imports.robomimic import RobomimicImporter
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset

OPTIONS = NominalOptions("someone", 20.0)
ROWS = 5


def write_robomimic(path: Path) -> None:
    with h5py.File(path, "w") as file:
        # As robosuite writes it: text of variable length.
        file.create_group("data").attrs["env_args"] = '{"env_name": "Lift", "type": 1}'
        for number in (0, 1, 10):
            demo = file.create_group(f"data/demo_{number}")
            demo.attrs["num_samples"] = ROWS
            demo["actions"] = np.full((ROWS, 2), number / 10, np.float32)
            demo["obs/state"] = np.arange(ROWS * 3.0).reshape(ROWS, 3)
            demo["obs/agentview_image"] = np.full((ROWS, 8, 8, 3), number, np.uint8)
            demo["obs/count"] = np.arange(ROWS)
            demo["next_obs/state"] = np.zeros((ROWS, 3))
            demo.attrs["model_file"] = "<mujoco/>"
        file["mask/train"] = np.array(["demo_0", "demo_10"], dtype="S8")


def write_act(folder: Path) -> None:
    folder.mkdir()
    for number in range(2):
        with h5py.File(folder / f"episode_{number}.hdf5", "w") as file:
            file.attrs["sim"] = False
            file["action"] = np.full((ROWS, 2), number, np.float32)
            file["observations/qpos"] = np.zeros((ROWS, 2), np.float32)
            jpeg = np.frombuffer(encode_jpeg(np.full((8, 8, 3), 99, np.uint8), 90), np.uint8)
            padded = np.zeros((ROWS, len(jpeg) + 40), np.uint8)
            padded[:, : len(jpeg)] = jpeg
            file["observations/images/top"] = padded


def test_a_file_of_robosuite_is_imported(tmp_path: Path) -> None:
    write_robomimic(tmp_path / "demo.hdf5")
    report = import_dataset(tmp_path / "demo.hdf5", tmp_path / "out", RobomimicImporter(OPTIONS))
    dataset = Dataset(tmp_path / "out")
    assert verify_dataset(DatasetFolder(tmp_path / "out")) == []
    # In the order of their numbers, not of their names.
    np.testing.assert_allclose(dataset.array("actions")[::ROWS, 0], [0.0, 0.1, 1.0])
    assert dataset.array("obs/count").dtype == np.int64
    assert dataset.info.env_args["env_name"] == "Lift"
    assert len(dataset.stored_split("train")) == 2
    assert report.left_out == {
        "data/demo_0/next_obs/state": "the observations of the next row, which is there "
        "(as in 2 more episodes)",
        "data/demo_0 (attribute 'model_file')": "an attribute that this import has no place for "
        "(as in 2 more episodes)",
    }
    frame = dataset.episode(dataset.episodes[2].name).frame("obs/agentview_image", 0)
    assert (frame == 10).all()
    # Rows are 1/rate apart, as was stated.
    assert np.diff(dataset.array("tick_ns")[:ROWS]).tolist() == [50_000_000] * (ROWS - 1)


def link_actions(file: h5py.File) -> None:
    del file["data/demo_1/actions"]
    file["data/demo_1/actions"] = h5py.ExternalLink("/etc/passwd", "/")


def link_obs(file: h5py.File) -> None:
    del file["data/demo_1/obs"]
    file["data/demo_1/obs"] = h5py.SoftLink("/data/demo_0/obs")


def store_elsewhere(file: h5py.File) -> None:
    del file["data/demo_0/actions"]
    file.create_dataset(
        "data/demo_0/actions", (ROWS, 2), "f4", external=[("/etc/hostname", 0, ROWS * 8)]
    )


def claim_much(file: h5py.File) -> None:
    del file["data/demo_0/actions"]
    file.create_dataset("data/demo_0/actions", (10**9, 2), "f4", chunks=(64, 2))


def shorten(file: h5py.File) -> None:
    del file["data/demo_10/obs/state"]
    file["data/demo_10/obs/state"] = np.zeros((ROWS - 1, 3))


def widen(file: h5py.File) -> None:
    del file["data/demo_10/actions"]
    file["data/demo_10/actions"] = np.zeros((ROWS, 3), np.float32)


def empty(file: h5py.File) -> None:
    del file["data"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (link_actions, r"is a link to elsewhere; refused"),
        (link_obs, r"is a link to elsewhere; refused"),
        (store_elsewhere, r"keeps its data in another file; refused"),
        (claim_much, r"claims 2000000000 values, more than the file holds"),
        (shorten, r"'/data/demo_10/obs/state' has 4 rows, 'actions' 5"),
        (widen, r"'/data/demo_10/actions': rows of \(3,\)"),
        (empty, r"no group 'data', so no file of robomimic"),
    ],
)
def test_hostile_files_of_robomimic_are_refused(
    tmp_path: Path, damage: Callable[[h5py.File], None], says: str
) -> None:
    path = tmp_path / "demo.hdf5"
    write_robomimic(path)
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(EpisodeError, match=says):
        import_dataset(path, tmp_path / "out", RobomimicImporter(OPTIONS))
    # What was whole before the damage is kept, and sound.
    if (tmp_path / "out").exists():
        assert verify_dataset(DatasetFolder(tmp_path / "out")) == []
        assert len(Dataset(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("observations/images/top", np.full((ROWS, 40), 7, np.uint8), "row 0: no JPEG image"),
        ("observations/images/top", np.zeros((ROWS, 8, 8), np.uint8), "nor padded JPEG"),
        ("observations/qpos", np.zeros((ROWS + 1, 2), np.float32), "it has 6 rows, the actions 5"),
        ("observations/qpos", np.array([b"x"] * ROWS), r"no array '/observations/qpos'"),
        ("action", np.zeros((0, 2), np.float32), "rows"),
    ],
)
def test_damaged_files_of_act_are_refused(
    tmp_path: Path, place: str, value: np.ndarray, says: str
) -> None:
    write_act(tmp_path / "act")
    with h5py.File(tmp_path / "act/episode_0.hdf5", "r+") as file:
        del file[place]
        file[place] = value
    with pytest.raises(EpisodeError, match=says):
        import_dataset(tmp_path / "act", tmp_path / "out", ActImporter(OPTIONS))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["robomimic", "act"])
def test_no_flipped_bytes_crash_an_import(tmp_path: Path, kind: str) -> None:
    importer: Importer = RobomimicImporter(OPTIONS) if kind == "robomimic" else ActImporter(OPTIONS)
    if kind == "robomimic":
        write_robomimic(tmp_path / "demo.hdf5")
        source = victim = tmp_path / "demo.hdf5"
        with h5py.File(victim, "r+") as file:
            del file["data"].attrs["env_args"]  # its process costs half a second each time
    else:
        write_act(tmp_path / "act")
        source, victim = tmp_path / "act", tmp_path / "act/episode_0.hdf5"
    whole, rng = victim.read_bytes(), np.random.default_rng(11)
    outcomes = set()
    for number in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 1 + number):
            damaged[place] ^= int(rng.integers(1, 256))
        victim.write_bytes(bytes(damaged))
        out = tmp_path / f"out{number}"
        try:
            import_dataset(source, out, importer)
        except RobotLearningError:
            outcomes.add("refused")
        else:
            outcomes.add("imported")
            assert verify_dataset(DatasetFolder(out)) == []
    assert "refused" in outcomes


def test_a_profile_must_fit_and_a_rate_must_be_stated(tmp_path: Path) -> None:
    write_act(tmp_path / "act")
    options = NominalOptions("desk_arm", 50.0, profile=load_profile("desk_arm"))
    with pytest.raises(ConfigurationError, match=r"shape \(2,\), and robot 'desk_arm' has 7"):
        import_dataset(tmp_path / "act", tmp_path / "out", ActImporter(options))
    with pytest.raises(ConfigurationError, match="state one above 0 Hz"):
        NominalOptions("desk_arm", 0.0)
    with pytest.raises(DatasetError, match="no such file or folder"):
        import_dataset(tmp_path / "nothing", tmp_path / "out", ActImporter(OPTIONS))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("")
    with pytest.raises(DatasetError, match="holds other things than a dataset"):
        import_dataset(tmp_path / "act", tmp_path / "mine", ActImporter(OPTIONS))
    assert (tmp_path / "mine/file").exists()
