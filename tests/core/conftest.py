"""A small valid robot profile, to be read as it is or with something changed."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from robot_learning.core.errors import ProfileError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile

Change = Callable[[dict[str, Any]], None]


def small_profile() -> dict[str, Any]:
    """Two joints and a gripper, with every optional key at its default."""
    return {
        "schema_version": 1,
        "name": "small",
        "control_rate_hz": 100,
        "joints": [
            {
                "name": "turn",
                "kind": "revolute",
                "position_rad": [-2.0, 2.0],
                "velocity_rad_s": 3,
                "acceleration_rad_s2": 10,
                "effort_nm": 5,
                "home_rad": 0.5,
            },
            {
                "name": "slide",
                "kind": "prismatic",
                "position_m": [0.0, 0.3],
                "velocity_m_s": 0.5,
                "acceleration_m_s2": 2,
                "effort_n": 50,
            },
            {
                "name": "grip",
                "kind": "prismatic",
                "position_m": [0.0, 0.04],
                "velocity_m_s": 0.1,
                "acceleration_m_s2": 1,
                "effort_n": 20,
            },
        ],
        "arms": [
            {
                "name": "arm",
                "joints": ["turn", "slide"],
                "end_effector": {"site": "tip"},
                "gripper": {
                    "joint": "grip",
                    "open_m": 0.04,
                    "closed_m": 0.0,
                    "clear_width_m": 0.08,
                },
                "workspace_m": {"min": [0.1, -0.2, 0.0], "max": [0.4, 0.2, 0.3]},
            }
        ],
        "cameras": [
            {"name": "front", "width_px": 640, "height_px": 480, "rate_hz": 30, "topic": "front"}
        ],
        "interfaces": {"sim": {"mjcf": "small.xml"}},
    }


@pytest.fixture
def profile_file(tmp_path: Path) -> Path:
    """The small profile in a file of its own, beside the model that it names."""
    return _write(tmp_path, small_profile())


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., RobotProfile]:
    """Reads the small profile after a change to its values."""

    def read(change: Change = lambda _: None) -> RobotProfile:
        values = copy.deepcopy(small_profile())
        change(values)
        return load_profile(_write(tmp_path, values))

    return read


@pytest.fixture
def refusal(load: Callable[..., RobotProfile], tmp_path: Path) -> Callable[[Change], str]:
    """The error's text, after the file's name, that reading the changed profile raises."""

    def read(change: Change) -> str:
        with pytest.raises(ProfileError) as caught:
            load(change)
        file, text = str(caught.value).split(": ", 1)
        assert file == str(tmp_path / "robot.yaml")
        return text

    return read


def _write(folder: Path, values: Any) -> Path:
    (folder / "small.xml").write_text("<mujoco/>")
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path
