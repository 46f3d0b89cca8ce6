"""Angles in files of ACT and robomimic mean the turns that the recorder would have counted."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TURN_RAD, TurnRules, counted
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.imports.act import ActImporter
from robot_learning.episodes.imports.importer import ImportReport, import_dataset
from robot_learning.episodes.imports.nominal import NominalOptions
from robot_learning.episodes.imports.robomimic import RobomimicImporter

ROWS, LEAD = 80, 0.05
PAN, LIFT, ROLL, GRIP = 0, 1, 5, 6


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    """A desk arm: the base turns nearly twice, the wrist without end, the gripper turns too."""
    base = load_profile("desk_arm")
    joints = list(base.joints)
    joints[PAN] = replace(joints[PAN], position_min=-1.0, position_max=5.5)
    joints[ROLL] = replace(
        joints[ROLL], position_min=-math.inf, position_max=math.inf, continuous=True
    )
    joints[GRIP] = replace(joints[GRIP], kind=joints[PAN].kind)
    return replace(base, joints=tuple(joints), cameras=())


@pytest.fixture
def true(profile: RobotProfile) -> np.ndarray:
    rows = np.tile(profile.home, (ROWS, 1))
    rows[:, PAN] = np.linspace(5.2, 2.0, ROWS)
    rows[:, ROLL] = np.linspace(2.5, 12.5, ROWS)
    rows[:, GRIP] = np.where(np.arange(ROWS) % 2, 100.0, 0.0)  # in percent
    return rows


def as_reported(profile: RobotProfile, rows: np.ndarray) -> np.ndarray:
    """What drivers say that know no turns."""
    turning = TurnRules.of(profile).turning & (np.arange(rows.shape[1]) != GRIP)
    return np.where(turning, np.angle(np.exp(1j * rows)), rows)


def imported(
    kind: str, folder: Path, profile: RobotProfile | None, arrays: Mapping[str, np.ndarray]
) -> tuple[ImportReport, Dataset]:
    """Import a file with these columns, under the names that the format has for them."""
    options = NominalOptions("someone", 20.0, profile=profile)
    names = {"actions": "action", "obs/joint_position": "observations/qpos"}
    if kind == "act":
        (folder / "act").mkdir()
        with h5py.File(folder / "act/episode_0.hdf5", "w") as file:
            for path, rows in arrays.items():
                file[names.get(path, path)] = rows
        report = import_dataset(folder / "act", folder / "out", ActImporter(options))
    else:
        with h5py.File(folder / "demo.hdf5", "w") as file:
            file.create_group("data").attrs["env_args"] = json.dumps({"env_name": "X", "type": 1})
            for path, rows in arrays.items():
                file[f"data/demo_0/{path}"] = rows
        report = import_dataset(folder / "demo.hdf5", folder / "out", RobomimicImporter(options))
    return report, Dataset(folder / "out")


@pytest.mark.parametrize("kind", ["act", "robomimic"])
def test_rows_go_on_within_the_limits_and_actions_with_them(
    kind: str, tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    wanted = true + np.eye(len(profile.joints))[ROLL] * LEAD
    arrays = {
        "obs/joint_position": as_reported(profile, true),
        "actions": as_reported(profile, wanted),
    }
    report, dataset = imported(kind, tmp_path, profile, arrays)
    np.testing.assert_allclose(dataset.array("obs/joint_position"), true, atol=1e-9)
    np.testing.assert_allclose(dataset.array("actions"), wanted, atol=1e-9)
    (note,) = [note for note in report.notes if "whole turns" in note]
    assert "shoulder_pan in 1 episode" in note and "gripper" not in note
    # The recorder counts the same, from the turn in which the episode begins.
    rules = TurnRules.of(replace(profile, joints=profile.joints[:GRIP]))
    at_once = counted(rules, dataset.array("obs/joint_position")[:, :GRIP])
    np.testing.assert_allclose(at_once, true[:, :GRIP], atol=1e-9)


@pytest.mark.parametrize("kind", ["act", "robomimic"])
def test_without_a_profile_nothing_is_moved(
    kind: str, tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    arrays = {path: as_reported(profile, true) for path in ("obs/joint_position", "actions")}
    report, dataset = imported(kind, tmp_path, None, arrays)
    for path, rows in arrays.items():
        np.testing.assert_array_equal(dataset.array(path), rows.astype(np.float32))
    assert report.notes == []


def test_an_episode_one_turn_away_is_moved_whole(
    tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    away = true.copy()
    away[:, LIFT] -= TURN_RAD
    states = np.concatenate([away, np.zeros_like(away)], axis=1)
    arrays = {"obs/joint_position": away, "actions": away, "states": states}
    _, dataset = imported("robomimic", tmp_path, profile, arrays)
    for rows in (*map(dataset.array, ("obs/joint_position", "actions")), dataset.array("states")):
        np.testing.assert_allclose(rows[:, LIFT], true[:, LIFT], atol=1e-12)
        np.testing.assert_array_equal(rows[:, GRIP], true[:, GRIP])
    assert (dataset.array("states")[:, len(profile.joints) :] == 0).all()


def test_what_needs_no_turn_stays_bit_for_bit(
    tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    arrays = {"obs/joint_position": true, "actions": true + 0.01, "control/human": true * np.nan}
    report, dataset = imported("robomimic", tmp_path, profile, arrays)
    for path, rows in arrays.items():
        np.testing.assert_array_equal(dataset.array(path), rows.astype(np.float32))
    assert report.notes == []


def test_actions_that_are_differences_and_joints_in_degrees_stay(
    tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    joints = true.copy()
    joints[:, LIFT] = np.linspace(-60.0, 80.0, ROWS)  # degrees
    arrays = {"obs/joint_position": joints, "actions": np.full_like(true, 0.01)}
    _, dataset = imported("robomimic", tmp_path, profile, arrays)
    np.testing.assert_array_equal(dataset.array("obs/joint_position"), joints.astype("f4"))
    np.testing.assert_array_equal(dataset.array("actions"), np.float32(0.01))


def test_a_turn_that_is_not_clear_is_told(
    tmp_path: Path, profile: RobotProfile, true: np.ndarray
) -> None:
    wide = list(profile.joints)
    wide[PAN] = replace(wide[PAN], position_min=-6.2, position_max=6.2)
    joints = true.copy()
    joints[:, PAN] = 8.0
    report, dataset = imported(
        "act",
        tmp_path,
        replace(profile, joints=tuple(wide)),
        {"obs/joint_position": joints, "actions": joints},
    )
    np.testing.assert_array_equal(dataset.array("obs/joint_position"), joints.astype("f4"))
    assert any("episode_0.hdf5" in n and "its turn is not clear" in n for n in report.notes)
