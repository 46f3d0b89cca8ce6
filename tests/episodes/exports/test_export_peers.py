"""Exports read by the tools themselves, where environments that have them are named.

ROBOT_LEARNING_ROBOMIMIC_PYTHON and ROBOT_LEARNING_LEROBOT_PYTHON are interpreters with
robomimic 0.3.0 and LeRobot; ROBOT_LEARNING_LEROBOT_BACKEND is `pyav` or `torchcodec`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.windows import Windows, WindowSpec
from robot_learning.episodes.exports.exporter import export_dataset
from robot_learning.episodes.exports.lerobot import LeRobotExporter
from robot_learning.episodes.exports.robomimic import RobomimicExporter

PEERS = Path(__file__).parent / "peers"
ROBOMIMIC = os.environ.get("ROBOT_LEARNING_ROBOMIMIC_PYTHON", "")
LEROBOT = os.environ.get("ROBOT_LEARNING_LEROBOT_PYTHON", "")
BACKEND = os.environ.get("ROBOT_LEARNING_LEROBOT_BACKEND", "pyav")

robomimic_only = pytest.mark.skipif(
    not ROBOMIMIC, reason="ROBOT_LEARNING_ROBOMIMIC_PYTHON names no interpreter with robomimic"
)
lerobot_only = pytest.mark.skipif(
    not LEROBOT, reason="ROBOT_LEARNING_LEROBOT_PYTHON names no interpreter with LeRobot"
)


def run_peer(python: str, script: str, *arguments: str) -> Any:
    output = arguments[1]
    command = [python, str(PEERS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(output)


def frames_of(dataset: Dataset, path: str) -> np.ndarray:
    found = []
    for summary in dataset.episodes:
        episode = dataset.episode(summary.name)
        found += [episode.frame(path, row) for row in range(episode.rows)]
    return np.stack(found)


@robomimic_only
@pytest.mark.parametrize("mask", ["", "train", "failure"])
def test_robomimic_reads_its_export(small_dataset: Path, tmp_path: Path, mask: str) -> None:
    dataset = Dataset(small_dataset)
    export_dataset(dataset, tmp_path / "all.hdf5", RobomimicExporter())
    found = run_peer(
        ROBOMIMIC,
        "robomimic_reader.py",
        str(tmp_path / "all.hdf5"),
        str(tmp_path / "found.npz"),
        "joint_position,joint_velocity",
        "front,wrist",
        *([mask] if mask else []),
    )
    if mask == "failure":
        dataset = dataset.select(outcomes="failure")
    elif mask:
        dataset = dataset.stored_split(mask)
    assert len(found["demos"]) == len(dataset)
    assert str(found["env_name"]) == "lift"
    spec = WindowSpec(("obs/joint_position",), action_steps=5, valid_only=False)
    expected = Windows(dataset, spec).batch(range(dataset.rows))
    np.testing.assert_allclose(found["actions"], expected["action"], rtol=1e-6)
    np.testing.assert_array_equal(found["pad_mask"][..., 0], ~expected["action_is_pad"])
    for key in ("joint_position", "joint_velocity"):
        first = found[f"obs/{key}"][:, 0]
        np.testing.assert_allclose(first, dataset.array(f"obs/{key}"), rtol=1e-6)
    for key, path in (("front", "images/front"), ("wrist", "obs/wrist")):
        np.testing.assert_array_equal(found[f"obs/{key}"][:, 0], frames_of(dataset, path))


@robomimic_only
def test_robomimic_reads_the_index_of_links(small_dataset: Path, tmp_path: Path) -> None:
    found = run_peer(
        ROBOMIMIC,
        "robomimic_reader.py",
        str(small_dataset / "dataset.hdf5"),
        str(tmp_path / "found.npz"),
        "joint_position",
        "wrist",
        "train",
    )
    dataset = Dataset(small_dataset).stored_split("train")
    np.testing.assert_allclose(found["actions"][:, 0], dataset.array("actions"), rtol=1e-6)
    np.testing.assert_array_equal(found["obs/wrist"][:, 0], frames_of(dataset, "obs/wrist"))


@lerobot_only
@pytest.mark.parametrize(
    "exporter",
    [
        LeRobotExporter(codec="h264"),
        LeRobotExporter(codec="av1", data_file_mb=0, video_file_mb=0),
    ],
    ids=["h264", "av1-many-files"],
)
def test_lerobot_reads_its_export(
    small_dataset: Path, tmp_path: Path, exporter: LeRobotExporter
) -> None:
    dataset = Dataset(small_dataset)
    # A limit of zero puts each episode into files of its own.
    export_dataset(dataset, tmp_path / "lerobot", exporter)
    found = run_peer(
        LEROBOT,
        "lerobot_reader.py",
        str(tmp_path / "lerobot"),
        str(tmp_path / "found.npz"),
        BACKEND,
    )
    about = json.loads(str(found["about"]))
    lengths = [summary.rows for summary in dataset.episodes]
    assert (about["frames"], about["episodes"], about["fps"]) == (dataset.rows, 3, 50)
    assert about["lengths"] == lengths
    assert about["robot_type"] == "desk_arm"
    assert about["cameras"] == ["observation.images.front", "observation.images.wrist"]
    assert about["features"]["observation.images.front"] == [48, 64, 3]
    assert about["names"] == ["a", "b", "c"]
    assert about["tasks"] == np.repeat(["pick", "place", "pick"], lengths).tolist()
    for key, path in (
        ("action", "actions"),
        ("observation.state", "obs/joint_position"),
        ("observation.velocity", "obs/joint_velocity"),
        ("intervention", "intervention"),
    ):
        np.testing.assert_array_equal(found[f"item/{key}"], dataset.array(path), err_msg=key)
    stamps = np.concatenate([np.arange(n) / 50 for n in lengths])
    np.testing.assert_allclose(found["item/timestamp"], stamps, atol=1e-6)
    for camera, path in (("front", "images/front"), ("wrist", "obs/wrist")):
        pixels = found[f"item/observation.images.{camera}"].transpose(0, 2, 3, 1) * 255
        errors = np.abs(pixels - frames_of(dataset, path)).mean(axis=(1, 2, 3))
        assert errors.max() < 6.0, camera
    spec = WindowSpec(
        ("obs/joint_position",), observation_steps=3, action_steps=5, valid_only=False
    )
    expected = Windows(dataset, spec).batch(range(dataset.rows))
    np.testing.assert_array_equal(found["window/observation.state"], expected["obs/joint_position"])
    np.testing.assert_array_equal(found["window/action"], expected["action"])
    np.testing.assert_array_equal(found["window/action_is_pad"], expected["action_is_pad"])
    np.testing.assert_array_equal(
        found["window/observation.state_is_pad"], expected["observation_is_pad"]
    )
    first, last = lengths[0], lengths[0] + lengths[1]
    assert found["selected/index"].tolist() == list(range(first, last))
    actions = dataset.array("actions")
    np.testing.assert_allclose(found["stats/action/mean"], actions.mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        found["stats/action/q99"], np.quantile(actions, 0.99, axis=0), rtol=1e-5
    )
    assert found["stats/observation.images.front/mean"].shape == (3, 1, 1)
