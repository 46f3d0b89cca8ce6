"""Files of other tools: whatever is in them is taken, or is listed with its full path."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import ImportReport, import_dataset
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.imports.robomimic import RobomimicImporter
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset

OPTIONS = NominalOptions("someone", 20.0)
ROWS, DEMOS = 6, 3
TEXT = h5py.string_dtype()
Fill = Callable[[h5py.File], None]


def import_robomimic(tmp_path: Path, fill: Fill) -> tuple[ImportReport, Dataset]:
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1})
        for number in range(DEMOS):
            demo = file.create_group(f"data/demo_{number}")
            demo["actions"] = np.full((ROWS, 2), number, np.float32)
            demo["obs/joint_pos"] = np.zeros((ROWS, 2))
        fill(file)
    report = import_dataset(tmp_path / "demo.hdf5", tmp_path / "out", RobomimicImporter(OPTIONS))
    assert verify_dataset(DatasetFolder(tmp_path / "out")) == []
    return report, Dataset(tmp_path / "out")


def import_act(tmp_path: Path, fill: Fill) -> tuple[ImportReport, Dataset]:
    (tmp_path / "act").mkdir()
    with h5py.File(tmp_path / "act/episode_0.hdf5", "w") as file:
        file["action"] = np.zeros((ROWS, 2), np.float32)
        file["observations/qpos"] = np.zeros((ROWS, 2), np.float32)
        file["observations/images/top"] = np.zeros((ROWS, 4, 5, 3), np.uint8)
        fill(file)
    report = import_dataset(tmp_path / "act", tmp_path / "out", ActImporter(OPTIONS))
    assert verify_dataset(DatasetFolder(tmp_path / "out")) == []
    return report, Dataset(tmp_path / "out")


def in_each(place: str, values: np.ndarray) -> Fill:
    def fill(file: h5py.File) -> None:
        for number in range(DEMOS):
            file[f"data/demo_{number}/{place}"] = values

    return fill


@pytest.mark.parametrize("dtype", ["S8", TEXT])
def test_splits_are_taken_whatever_the_length_of_their_text(tmp_path: Path, dtype: object) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("mask/train", data=np.array(["demo_0", "demo_2"], dtype))
        file.create_dataset("mask/valid", data=np.array(["demo_1", "demo_7"], dtype))
        file["mask/numbers"] = np.array([0, 1])
        file["mask/none"] = np.array([], "S8")
        file["mask/twice"] = np.array([b"demo_1", b"demo_0", b"demo_1"])

    report, dataset = import_robomimic(tmp_path, fill)
    numbers = {name: [e[8:14] for e in s] for name, s in dataset.stored_splits().items()}
    assert numbers == {
        "train": ["000000", "000002"],
        "valid": ["000001"],
        "twice": ["000001", "000000"],
    }
    assert report.left_out == {
        "mask/valid": "demo_7: not in the file",
        "mask/numbers": "no list of demos",
        "mask/none": "it names no demo",
    }


@pytest.mark.parametrize(
    ("place", "values", "column", "shape"),
    [
        ("obs/policy/cam", np.zeros((ROWS, 4, 5, 3), np.uint8), "obs/policy_cam", (4, 5, 3)),
        ("states/robot/joints", np.zeros((ROWS, 9)), "states/robot_joints", (9,)),
        ("obs/joint vel", np.zeros((ROWS, 7)), "obs/joint_vel", (7,)),
        ("obs/joint pos", np.zeros((ROWS, 7)), "obs/joint_pos_2", (7,)),
        ("obs/0_eef", np.zeros((ROWS, 3), np.int16), "obs/key_0_eef", (3,)),
        ("obs/__x", np.zeros((ROWS, 3), np.uint32), "obs/key_x", (3,)),
        ("obs/cam", np.zeros((ROWS, 3, 4, 5), np.uint8), "obs/cam", (4, 5, 3)),
        ("obs/grey", np.zeros((ROWS, 4, 5, 1), np.uint8), "obs/grey", (4, 5, 3)),
        ("obs/rgba", np.zeros((ROWS, 4, 5, 4), np.uint8), "obs/rgba", (4, 5, 3)),
        ("obs/plain_grey", np.zeros((ROWS, 16, 20), np.uint8), "obs/plain_grey", (16, 20, 3)),
        ("obs/touch", np.zeros((ROWS, 4, 5), np.uint8), "obs/touch", (4, 5)),
        ("obs/depth", np.zeros((ROWS, 4, 5), np.uint16), "obs/depth", (4, 5, 1)),
        ("obs/observations", np.zeros((ROWS, 4, 5, 3), np.uint8), "obs/observations", (4, 5, 3)),
        ("processed_actions", np.zeros((ROWS, 2)), "control/processed_actions", (2,)),
        ("source", np.zeros((ROWS,)), "control/source_array", ()),
    ],
)
def test_an_array_is_taken(
    tmp_path: Path, place: str, values: np.ndarray, column: str, shape: tuple[int, ...]
) -> None:
    report, dataset = import_robomimic(tmp_path, in_each(place, values))
    assert dataset.info.column(column).shape == shape
    assert len(dataset.info.columns) == 3
    assert report.left_out == {}
    if column.rsplit("/", maxsplit=1)[-1] != place.rsplit("/", maxsplit=1)[-1]:
        assert any(f"'{place}'" in note and f"'{column}'" in note for note in report.notes)


def test_frames_are_turned_the_right_way_round(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (ROWS, 4, 5, 3), dtype=np.uint8)
    plain_grey = rng.integers(0, 256, (ROWS, 16, 20), dtype=np.uint8)
    depth = rng.integers(0, 60000, (ROWS, 4, 5), dtype=np.uint16).astype(">u2")

    def fill(file: h5py.File) -> None:
        in_each("obs/first", np.moveaxis(frames, 3, 1))(file)
        in_each("obs/last", frames)(file)
        in_each("obs/opaque", np.concatenate([frames, frames[..., :1]], axis=3))(file)
        in_each("obs/grey", frames[..., :1])(file)
        in_each("obs/plain_grey", plain_grey)(file)
        in_each("obs/depth", depth)(file)

    _, dataset = import_robomimic(tmp_path, fill)
    episode = dataset.episode(dataset.episodes[1].name)
    for row in range(ROWS):
        for name in ("first", "last", "opaque"):
            np.testing.assert_array_equal(episode.frame(f"obs/{name}", row), frames[row])
        grey = np.repeat(frames[row, :, :, :1], 3, axis=2)
        np.testing.assert_array_equal(episode.frame("obs/grey", row), grey)
        plain = episode.frame("obs/plain_grey", row)
        np.testing.assert_array_equal(plain, np.repeat(plain_grey[row, :, :, None], 3, axis=2))
        np.testing.assert_array_equal(episode.frame("obs/depth", row)[..., 0], depth[row])


@pytest.mark.parametrize(
    ("place", "values", "why"),
    [
        ("next_obs/joint_pos", np.zeros((ROWS, 2)), "the observations of the next row"),
        ("initial_state/joints", np.zeros((1, 9)), "it has 1 row, the actions 6"),
        ("obs/camera_matrix", np.zeros((3, 3)), "it has 3 rows, the actions 6"),
        ("obs/words", np.array([b"x"] * ROWS), "of the type |S1, not numbers by row"),
        ("obs/complex", np.zeros((ROWS, 2), complex), "of the type complex128"),
        ("obs/nothing", np.zeros((ROWS, 0)), r"its rows have the shape (0,)"),
        ("dones", np.ones(ROWS), "it marks other rows than the last"),
    ],
)
def test_what_is_not_taken_is_listed_by_its_full_path(
    tmp_path: Path, place: str, values: np.ndarray, why: str
) -> None:
    report, _ = import_robomimic(tmp_path, in_each(place, values))
    assert list(report.left_out) == [f"data/demo_0/{place}"]
    told = report.left_out[f"data/demo_0/{place}"]
    assert told.startswith(why) and told.endswith("(as in 2 more episodes)")


def test_what_only_later_episodes_have_is_listed(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for number in (1, 2):
            file[f"data/demo_{number}/obs/contact"] = np.ones((ROWS, 1))
        file["data/notes/text"] = np.zeros(3)
        file["elsewhere/array"] = np.zeros(3)
        file.attrs["date"] = "today"
        file["data"].attrs["total"] = 18
        file["data/demo_2"].attrs["model_file"] = "<mujoco/>"

    report, _ = import_robomimic(tmp_path, fill)
    assert report.left_out == {
        "data/demo_1/obs/contact": "the first episode has no such array (as in 1 more episode)",
        "data/demo_2 (attribute 'model_file')": "an attribute that this import has no place for",
        "(attribute 'date' of the file)": "unknown to this import",
        "data/notes": "no demo_<number>",
        "elsewhere/array": "outside of 'data' and 'mask'",
    }


def test_attributes_give_outcome_instruction_and_notes(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data"].attrs["problem_info"] = json.dumps({"language_instruction": ["pick", "it"]})
        file["data/demo_0"].attrs["success"] = True
        file["data/demo_1"].attrs["is_success"] = np.int64(0)
        file["data/demo_1"].attrs["language_instruction"] = "open the drawer"
        file["data/demo_1"].attrs["seed"] = 7
        file["data/demo_2"].attrs["success"] = "True"
        file["data/demo_2"].attrs["nothing"] = h5py.Empty("f4")

    report, dataset = import_robomimic(tmp_path, fill)
    assert [e.outcome for e in dataset.episodes] == ["success", "failure", "success"]
    assert [e.instruction for e in dataset.episodes] == ["pick it", "open the drawer", "pick it"]
    notes = dataset.episode(dataset.episodes[1].name).metadata.notes
    assert notes["source_seed"] == "7"
    assert list(report.left_out) == ["data/demo_2 (attribute 'nothing')"]


def test_a_second_instruction_is_a_note(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/demo_0"].attrs["lang"] = "pick it"
        file["data/demo_0"].attrs["task_description"] = "lift the cube"
        file["data/demo_1"].attrs["lang"] = "pick it"
        file["data/demo_1"].attrs["prompt"] = "pick it"

    _, dataset = import_robomimic(tmp_path, fill)
    assert [e.instruction for e in dataset.episodes] == ["pick it", "pick it", ""]
    first, second, _ = (dataset.episode(e.name).metadata.notes for e in dataset.episodes)
    assert first["source_task_description"] == "lift the cube"
    assert not {"source_lang", "source_prompt"} & {*first, *second}


def test_numbers_that_are_none_are_told(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        in_each("obs/force", np.array([[np.nan], [np.inf], *[[0.0]] * (ROWS - 2)]))(file)
        file["data/demo_1/actions"][2] = np.nan

    report, _ = import_robomimic(tmp_path, fill)
    notes = " / ".join(report.notes)
    assert f"'obs/force' is NaN or infinite in {2 * DEMOS} rows: to train without it" in notes
    assert "'actions' is NaN or infinite in 1 row: these rows have no label" in notes
    assert "joint_pos" not in notes


@pytest.mark.parametrize(
    "text", [np.bytes_(b"pick up"), "pick up", np.array(["pick up"] * 2, object)]
)
def test_an_instruction_of_act_is_taken(tmp_path: Path, text: object) -> None:
    def fill(file: h5py.File) -> None:
        file["instruction"] = text
        file.attrs["success"] = False

    report, dataset = import_act(tmp_path, fill)
    assert (dataset.episodes[0].instruction, dataset.episodes[0].outcome) == ("pick up", "failure")
    assert report.left_out == {}


def test_depth_and_further_observations_of_act_are_taken(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["observations/images_depth/top"] = np.full((ROWS, 4, 5), 1500, np.uint16)
        file["observations/force"] = np.ones((ROWS, 6))
        file["instruction"] = np.arange(4)
        file.create_dataset("base_action", (ROWS, 2), "f4")

    report, dataset = import_act(tmp_path, fill)
    paths = {column.path for column in dataset.info.columns}
    assert paths >= {"obs/top", "obs/force", "obs/images_depth_top", "control/base_action"}
    episode = dataset.episode(dataset.episodes[0].name)
    assert (episode.frame("obs/images_depth_top", 0) == 1500).all()
    assert (dataset.array("control/base_action") == 0).all()
    assert report.left_out == {"episode_0.hdf5/instruction": "it has 4 rows, the actions 6"}
    assert any("'base_action' was created and never written" in note for note in report.notes)
