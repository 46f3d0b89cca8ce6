"""`profile check` names the joints that do not follow or rest, with gains that work when given."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.model import compile_robot
from robot_learning.sim.profile_review import review
from robot_learning.sim.servo_trial import review_servos, try_servos

MJCF = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <worldbody>
    <body pos="0 0 0.3"><inertial pos="0 0 0" mass="3" diaginertia="0.02 0.02 0.02"/>
      <joint name="shoulder" axis="0 1 0" range="-2 2" armature="0.1"/>
      <body pos="0 0 0.2"><inertial pos="0 0 0.02" mass="0.2" diaginertia="0.002 0.002 0.002"/>
        <joint name="wrist" axis="0 1 0" range="-2 2" {joint}/>
        <geom type="sphere" size="0.03" pos="0 0 0.1" {geom}/>
        <site name="tip" pos="0 0 0.2"/>
      </body>
    </body>
    {wall}
  </worldbody>
  <actuator>
    <position name="a1" joint="shoulder" kp="500" kv="25" forcerange="-80 80"/>
    {wrist}
  </actuator>
</mujoco>
"""
PROFILE = """
schema_version: 1
name: two_joints
control_rate_hz: 100
joints:
  - {name: shoulder, kind: revolute, position_rad: [-2, 2], velocity_rad_s: 2,
     acceleration_rad_s2: 15, effort_nm: 80}
  - {name: wrist, kind: revolute, position_rad: [-2, 2], velocity_rad_s: 2,
     acceleration_rad_s2: 15, effort_nm: 10}
arms:
  - name: arm
    joints: [shoulder, wrist]
    end_effector: {site: tip}
    workspace_m: {min: [-0.3, -0.3, 0.1], max: [0.3, 0.3, 0.8]}
interfaces:
  sim:
    mjcf: arm.xml
"""
BRAKE = '<motor name="brake" joint="wrist"/>'
# The wrist's joint, its actuators, further lines of the profile's interface, what is said of it.
FAULTS = {
    "hardly damped": ("", '<position name="a2" joint="wrist" kp="200" kv="0.002"/>', "", "rest"),
    "too stiff for the time step": (
        "",
        '<position name="a2" joint="wrist" kp="20000" kv="0.5"/>',
        "",
        "rest",
    ),
    "too soft for its friction": (
        'frictionloss="0.5"',
        '<position name="a2" joint="wrist" kp="2" kv="0.2"/>',
        "",
        "follow",
    ),
    "slow": ("", '<position name="a2" joint="wrist" kp="20" kv="40"/>', "", "follow"),
    "gains of the profile that ring": (
        "",
        '<motor name="a2" joint="wrist"/>',
        "    servos:\n      wrist: {stiffness: 300, damping: 0.003}\n",
        "rest",
    ),
    "damping that comes late": (
        "",
        f'<position name="a2" joint="wrist" kp="2000" kv="400"/>{BRAKE}',
        "    actuators: {wrist: a2}\n    held_actuators: {brake: 0}\n",
        "rest",
    ),
}


def two_joints(
    folder: Path, joint: str, wrist: str, interface: str, geom: str = 'contype="0"', wall: str = ""
) -> RobotProfile:
    mjcf = MJCF.format(joint=joint, wrist=wrist, geom=geom, wall=wall)
    (folder / "arm.xml").write_text(mjcf, encoding="utf-8")
    (folder / "robot.yaml").write_text(PROFILE + interface, encoding="utf-8")
    return load_profile(folder)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_joint_is_named_with_gains_that_would_do(fault: str, tmp_path: Path) -> None:
    joint, wrist, interface, verb = FAULTS[fault]
    lines = review_servos(compile_robot(two_joints(tmp_path, joint, wrist, interface)))
    assert len(lines) == 1, lines
    expected = "come to rest" if verb == "rest" else "follow"
    assert lines[0].startswith(f"the joint 'wrist' does not {expected}: ")
    gains = re.search(r"interfaces\.sim\.servos\.wrist: (\{stiffness: .*, damping: .*\})", lines[0])
    assert gains is not None, lines[0]
    # Whoever writes into the profile what the line says has a joint that works.
    kept = re.sub(r"    servos:\n.*\n", "", interface)
    servos = f"{kept}    servos:\n      wrist: {gains[1]}\n"
    assert review_servos(compile_robot(two_joints(tmp_path, joint, wrist, servos))) == []


def test_a_joint_that_is_held_by_something_else_gets_no_gains(tmp_path: Path) -> None:
    wall = '<geom type="box" size="0.05 0.05 0.05" pos="{} 0 0.6"/>'
    walls = wall.format("0.0799") + wall.format("-0.0799")
    servo = '<position name="a2" joint="wrist" kp="200" kv="4"/>'
    profile = two_joints(tmp_path, "", servo, "", geom="", wall=walls)
    lines = [line for line in review_servos(compile_robot(profile)) if "'wrist'" in line]
    assert re.search(r"'wrist' does not follow: .*no gains were found.*touches at home", lines[0])


def test_an_effort_that_does_not_carry_the_joint_is_told(tmp_path: Path) -> None:
    servo = '<position name="a2" joint="wrist" kp="200" kv="4" forcerange="-0.1 0.1"/>'
    profile = two_joints(tmp_path, 'frictionloss="0.3"', servo, "")
    text = PROFILE.replace("effort_nm: 10", "effort_nm: 0.1")
    (tmp_path / "robot.yaml").write_text(text, encoding="utf-8")
    lines = review_servos(compile_robot(load_profile(profile.path)))
    assert re.search(r"'wrist' does not follow: .*an effort of 0\.1 carries it", lines[0])


def test_sound_joints_are_not_named_and_it_takes_a_second_or_two(tmp_path: Path) -> None:
    servo = '<position name="a2" joint="wrist" kp="2000" kv="200"/>'
    assert review_servos(compile_robot(two_joints(tmp_path, "", servo, ""))) == []
    simulation = compile_robot(load_profile("desk_duo"))
    begin_s = time.process_time()
    responses = try_servos(simulation)
    assert time.process_time() - begin_s < 2.0
    assert [response.joint.name for response in responses] == [*simulation.profile.joint_names]
    assert all(response.follows and response.rests for response in responses)


def test_profile_check_says_it(tmp_path: Path) -> None:
    profile = two_joints(tmp_path, *FAULTS["hardly damped"][:3])
    assert any("'wrist' does not come to rest" in line for line in review(compile_robot(profile)))
