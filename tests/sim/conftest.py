"""A small scene with one of each kind of object, a task in it, and arms of several makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray
from robot_learning.sim.task import BoolArray, Task, Values
from robot_learning.sim.world import World

ASSETS = Path(__file__).resolve().parent / "assets"
TABLE = ASSETS / "table.xml"


@dataclass(frozen=True)
class Touch(Task):
    """Bring the end effector near the goal; the cube lies about."""

    name: str = "touch"
    scene: Path = TABLE
    objects: tuple[str, ...] = ("cube", "pillar", "goal")
    cameras: tuple[str, ...] = ("overview",)
    horizon: int = 12
    radius_m: float = 0.08

    def place(self, world: World, rng: np.random.Generator) -> None:
        tip = world.pose(world.simulation.end_effector_names[0])[:3]
        world.set_pose("goal", tip + rng.uniform(-0.1, 0.1, 3))
        world.set_pose("cube", np.array([*rng.uniform(0.25, 0.4, 2), 0.02]))
        world.set_pose("pillar", np.array([-0.3, rng.uniform(-0.1, 0.1), 0.1]))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        return np.asarray(self._gap_m(values, profile) < self.radius_m)

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        return np.exp(-self._gap_m(values, profile))

    def _gap_m(self, values: Values, profile: RobotProfile) -> FloatArray:
        tip = values[profile.arms[0].end_effector_name]
        gap = values["goal"][..., :3] - tip[..., :3]
        return np.sqrt(np.sum(gap * gap, axis=-1))


@pytest.fixture
def touch() -> Task:
    return Touch()


@pytest.fixture
def table() -> Path:
    return TABLE


@pytest.fixture
def profile_of() -> Callable[[str], RobotProfile]:
    """Loads a robot of tests/sim/assets, or one that ships, by name."""

    def load(name: str) -> RobotProfile:
        return load_profile(ASSETS / name if (ASSETS / name).is_dir() else name)

    return load


@pytest.fixture
def edited_robot(tmp_path: Path) -> Callable[..., RobotProfile]:
    """A copy of a test robot with texts replaced in its profile and its MJCF."""

    def edit(
        name: str,
        profile: tuple[tuple[str, str], ...] = (),
        mjcf: tuple[tuple[str, str], ...] = (),
    ) -> RobotProfile:
        for file, changes in (("robot.yaml", profile), ("arm.xml", mjcf)):
            text = (ASSETS / name / file).read_text(encoding="utf-8")
            for old, new in changes:
                assert old in text, f"{file} has no {old!r}"
                text = text.replace(old, new)
            (tmp_path / file).write_text(text, encoding="utf-8")
        return load_profile(tmp_path / "robot.yaml")

    return edit
