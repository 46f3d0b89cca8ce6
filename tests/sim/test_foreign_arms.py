"""The experts do their tasks with arms of other makes, each of a kind that failed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from foreign_arms import FOREIGN_ARMS, facing_pair, one_jaw, short_wrist

from robot_learning.core.profile import RobotProfile
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert
from robot_learning.sim.model import compile_robot
from robot_learning.sim.profile_review import review

EPISODES = 4
# Arm, task, and how many of the episodes succeed at least; what it was before stands behind.
CASES = [
    ("facing_pair", "reach", 4),
    ("facing_pair", "lift", 4),
    ("facing_pair", "insertion", 4),
    ("facing_pair", "handover", 4),  # 0
    ("endless_joints", "lift", 4),
    ("endless_joints", "push", 3),  # 1
    ("one_jaw", "lift", 4),
    ("one_jaw", "push", 4),
    ("short_wrist", "reach", 4),  # 2
]


def successes(profile: RobotProfile, task: str, episodes: int = EPISODES) -> int:
    env, expert = RobotEnv(profile, task), make_expert(task, profile)
    won = 0
    for seed in range(episodes):
        observation, info = env.reset(seed=seed)
        expert.reset(seed)
        success = truncated = False
        while not (success or truncated):
            action = expert(observation, info).astype(np.float32)
            observation, _, success, truncated, info = env.step(action)
        won += success
    return won


@pytest.mark.parametrize(("arm", "task", "least"), CASES)
def test_the_expert_copes(arm: str, task: str, least: int, tmp_path: Path) -> None:
    assert successes(FOREIGN_ARMS[arm](tmp_path), task) >= least


@pytest.mark.parametrize("arm", FOREIGN_ARMS)
def test_their_profiles_are_sound(arm: str, tmp_path: Path) -> None:
    lines = review(compile_robot(FOREIGN_ARMS[arm](tmp_path)))
    assert [line for line in lines if "corners" not in line] == []


@pytest.mark.parametrize(
    ("velocity_rad_s", "open_rad", "clear_m"),
    [(1.0, -0.8, 0.048), (3.0, -1.2, 0.05), (3.0, -0.8, 0.06)],
    ids=["slow joints", "a jaw said too narrow", "a jaw said too wide"],
)
def test_one_jaw_lifts_though_it_is_slow_or_its_width_is_not_exact(
    velocity_rad_s: float, open_rad: float, clear_m: float, tmp_path: Path
) -> None:
    """They were 0, 0 and 3 of 4."""
    assert successes(one_jaw(tmp_path, velocity_rad_s, open_rad, clear_m), "lift") == EPISODES


def test_the_position_is_kept_where_a_wrist_is_at_its_limit(tmp_path: Path) -> None:
    """Targets all over a box in which the hand cannot point straight down everywhere."""
    assert successes(short_wrist(tmp_path), "reach", 10) == 10


@pytest.mark.parametrize("floor_m", [0.022, 0.03])
def test_objects_grow_where_fingers_stay_above_their_middle(floor_m: float, tmp_path: Path) -> None:
    assert successes(facing_pair(tmp_path, floor_m), "handover", 2) == 2
