"""What `profile check` warns of: each mistake in one line, and nothing about a sound robot."""

import re

import pytest

from robot_learning.sim.model import compile_robot
from robot_learning.sim.profile_review import review, undriven_joints


@pytest.mark.parametrize("robot", ["desk_arm", "bench_arm", "desk_duo"])
def test_the_shipped_robots_raise_no_warning(robot, profile_of):
    assert review(compile_robot(profile_of(robot))) == []


def test_a_finger_that_nothing_drives_is_named(edited_robot):
    mimic = "    mimics:\n      finger_right: {joint: gripper}\n"
    simulation = compile_robot(edited_robot("torque_arm", ((mimic, ""),)))
    assert undriven_joints(simulation) == ["finger_right"]
    assert any("nothing drives the joint 'finger_right'" in line for line in review(simulation))


def test_fingers_of_mimics_tendons_and_held_actuators_are_driven(profile_of):
    for robot in ("torque_arm", "tendon_arm"):
        assert undriven_joints(compile_robot(profile_of(robot))) == []


def test_a_link_of_a_closed_linkage_is_driven(edited_robot):
    mimic = "    mimics:\n      finger_right: {joint: gripper}\n"
    linkage = (
        '<equality><connect body1="right_finger" body2="left_finger" anchor="0 0 0"/></equality>'
    )
    robot = edited_robot(
        "torque_arm", ((mimic, ""),), (("  <actuator>", f"  {linkage}\n  <actuator>"),)
    )
    assert undriven_joints(compile_robot(robot)) == []


def test_a_home_that_suits_no_task_is_told(profile_of, edited_robot):
    lines = review(compile_robot(profile_of("torque_arm")))
    assert any(re.search(r"arms\[0\]\.end_effector: .*94 degrees", line) for line in lines)
    assert any("pointing down, does not get from home to these corners" in line for line in lines)
    assert not any("outside of the workspace box" in line for line in lines)
    far = edited_robot("torque_arm", (("min: [0.1,", "min: [0.45,"),))
    assert any("outside of the workspace box" in line for line in review(compile_robot(far)))
