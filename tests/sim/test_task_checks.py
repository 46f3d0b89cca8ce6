"""A task refuses a robot whose start is not free or whose goal is out of reach, in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.sim.env import RobotEnv
from robot_learning.sim.experts import make_expert
from robot_learning.sim.fingers import finger_width_m
from robot_learning.sim.model import compile_robot
from robot_learning.sim.profile_review import review
from robot_learning.sim.tasks import TASKS, make_task

Edit = Callable[..., RobotProfile]
BOX = {
    "desk_arm": "workspace_m: {min: [0.14, -0.17, 0.014], max: [0.32, 0.17, 0.17]}",
    "bench_arm": "workspace_m: {min: [0.37, -0.22, 0.015], max: [0.62, 0.22, 0.30]}",
}


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """A copy of a robot that ships, with texts replaced in its profile."""

    def edit(robot: str, *changes: tuple[str, str]) -> RobotProfile:
        folder = find_robot(robot).parent
        for file in (*folder.glob("*.xml"), *folder.glob("*.yaml")):
            text = file.read_text(encoding="utf-8")
            for old, new in changes if file.suffix == ".yaml" else ():
                assert old in text, old
                text = text.replace(old, new)
            (tmp_path / file.name).write_text(text, encoding="utf-8")
        return load_profile(tmp_path)

    return edit


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> str:
    return f"workspace_m: {{min: {list(low)}, max: {list(high)}}}"


# Task, the box, and what the refusal says.
BOXES = {
    "lift, floor": ((0.14, -0.17, 0.04), (0.32, 0.17, 0.17), r"stays 0\.04 m above it.*0\.035 m"),
    "lift, ceiling": ((0.14, -0.17, 0.014), (0.32, 0.17, 0.06), r"0\.0675 m .*max z is 0\.06"),
    "push, floor": ((0.14, -0.17, 0.035), (0.32, 0.17, 0.17), r"at 0\.0294 m .*min z is 0\.035"),
    "push, room": ((0.22, -0.05, 0.014), (0.25, 0.05, 0.17), r"no room for a block of 0\.049 m"),
    "insertion, floor": ((0.14, -0.17, 0.08), (0.32, 0.17, 0.2), r"0\.0666 m .*min z is 0\.08"),
    "insertion, ceiling": ((0.14, -0.17, 0.014), (0.32, 0.17, 0.1), r"0\.112 m .*max z is 0\.1"),
    "insertion, room": ((0.14, -0.06, 0.014), (0.32, 0.06, 0.17), r"no room for peg and socket"),
    "obstacle, room": ((0.2, -0.04, 0.014), (0.3, 0.04, 0.17), r"on either side of the post"),
}


@pytest.mark.parametrize("case", BOXES)
def test_a_box_that_does_not_go_with_the_task_is_refused(case: str, edited: Edit) -> None:
    low, high, message = BOXES[case]
    profile = edited("desk_arm", (BOX["desk_arm"], box(low, high)))
    name = case.split(",", maxsplit=1)[0]
    with pytest.raises(ConfigurationError, match=message) as refusal:
        RobotEnv(profile, name)
    assert f"the task '{name}'" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    RobotEnv(profile, "reach")


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm"])
def test_a_post_that_stands_in_the_hand_is_refused(robot: str, edited: Edit) -> None:
    """The box is moved so that the hand at home is in its middle, where the post stands."""
    profile = load_profile(robot)
    home = RobotEnv(profile, "reach").world.pose(profile.arms[0].end_effector_name)[:3]
    workspace = profile.arms[0].workspace
    low, high = np.array(workspace.min_m), np.array(workspace.max_m)
    shift = np.append(home[:2] - (low + high)[:2] / 2, 0.0)
    high[2] += 0.1
    corners = [(corner + shift).round(4).tolist() for corner in (low, high)]
    moved = f"workspace_m: {{min: {corners[0]}, max: {corners[1]}}}"
    env = RobotEnv(edited(robot, (BOX[robot], moved)), "obstacle")
    with pytest.raises(ConfigurationError, match=r"no free start .* the 'post' stands in its"):
        env.reset(seed=0)
    env.close()


def test_what_the_hand_stands_in_is_drawn_anew(edited: Edit) -> None:
    """With the hand low over the box at home some draws would put the cube between its fingers."""
    low_home = (
        ("home_rad: -0.10", "home_rad: 0.55"),
        ("home_rad: 0.42", "home_rad: 0.25"),
        ("home_rad: -0.32", "home_rad: -0.80"),
    )
    env = RobotEnv(edited("desk_arm", *low_home), "lift")
    touched = 0
    for seed in range(40):
        env.reset(seed=seed)
        assert env.world.touching(("cube",)) is None
        env.world.reset()
        env.task.place(env.world, np.random.default_rng(seed))
        touched += env.world.touching(("cube",)) is not None
    assert touched > 0


@pytest.mark.parametrize("task", ["lift", "insertion"])
def test_fingers_that_are_narrower_than_they_say_are_refused(task: str, edited: Edit) -> None:
    profile = edited("desk_arm", ("clear_width_m: 0.07}", "clear_width_m: 0.25}"))
    with pytest.raises(ConfigurationError, match=r"are 0\.07 m apart; clear_width_m says 0\.25 m"):
        RobotEnv(profile, task)


def test_fingers_are_measured_on_the_model(edited: Edit) -> None:
    for robot, width_m in (("desk_arm", 0.07), ("bench_arm", 0.08), ("desk_duo", 0.07)):
        simulation = compile_robot(load_profile(robot))
        for arm in simulation.profile.arms:
            for share in (1.0, 0.5, 0.25):
                measured = finger_width_m(simulation, arm, share)
                assert measured == pytest.approx(share * width_m, abs=1e-3)
    profile = edited("desk_arm", ("clear_width_m: 0.07}", "clear_width_m: 0.05}"))
    lines = review(compile_robot(profile))
    assert len(lines) == 1
    assert re.search(r"gripper\.clear_width_m: .*0\.07 m apart when open, not 0\.05", lines[0])


def test_a_floor_under_which_the_fingers_are_in_the_table_is_told(edited: Edit) -> None:
    profile = edited("desk_arm", ("-0.17, 0.014]", "-0.17, 0.004]"))
    lines = review(compile_robot(profile))
    assert len(lines) == 1
    assert re.search(
        r"workspace_m: .*\(0\.004 m\).* mm in the table .*raise min z to 0\.01", lines[0]
    )


def test_arms_that_do_not_meet_are_refused(edited: Edit) -> None:
    far = (
        "min: [-0.17, -0.13, 0.014], max: [0.17, 0.05,",
        "min: [-0.17, -0.60, 0.014], max: [0.17, -0.42,",
    )
    with pytest.raises(ConfigurationError, match=r"half-way between the arms: 'left' would have"):
        RobotEnv(edited("desk_duo", far), "handover")


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm", "desk_duo"])
def test_the_robots_that_ship_do_every_task_that_they_have_arms_for(robot: str) -> None:
    profile = load_profile(robot)
    for name in TASKS:
        task = make_task(name)
        if len(profile.arms) >= task.minimum_arms:
            task.compose(profile)
            make_expert(name, profile)


def test_a_robot_without_a_gripper_reaches_and_does_nothing_else(edited: Edit) -> None:
    profile = edited(
        "desk_arm",
        ("joints: [shoulder_pan,", "joints: [gripper, shoulder_pan,"),
        ("    gripper: {joint: gripper, open_m: 0.035, closed_m: 0.0, clear_width_m: 0.07}\n", ""),
    )
    make_task("reach").compose(profile)
    for name in ("lift", "push", "insertion", "obstacle"):
        with pytest.raises(ConfigurationError, match="needs a gripper"):
            make_task(name).compose(profile)
