"""A servo with a force limit follows and comes to rest, however strong its damping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.model import compile_robot, compose
from robot_learning.sim.world import World

MJCF = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <option {option}/>
  <worldbody>
    <body pos="0 0 0.3"><inertial pos="0 0 0" mass="3" diaginertia="0.02 0.02 0.02"/>
      <joint name="shoulder" axis="0 1 0" range="-2 2"/>
      <body pos="0 0 0.2"><inertial pos="0 0 0.1" mass="1" diaginertia="0.001 0.001 0.001"/>
        <joint name="wrist" axis="0 0 1" range="-2 2" {joint}/>
        <site name="tip" pos="0 0 0.2"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="a1" joint="shoulder" kp="2000" kv="200"/>
    {wrist}
  </actuator>
</mujoco>
"""
PROFILE = """
schema_version: 1
name: light_wrist
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
SERVO = '<position name="a2" joint="wrist" kp="2000" {}/>'
# The wrist's joint, its actuator, the file's options, and gains in the profile.
CASES = {
    "no limit of its own": ("", SERVO.format('kv="200"'), "", ""),
    "a limit of its own": ("", SERVO.format('kv="200" forcerange="-6 6"'), "", ""),
    "a motor with strong gains": ("", '<motor name="a2" joint="wrist"/>', "", "2000, damping: 200"),
    "the recipe of a torque arm": ("", '<motor name="a2" joint="wrist"/>', "", "200, damping: 20"),
    "armature": ('armature="0.01"', SERVO.format('kv="200"'), "", ""),
    "damping of the joint": ('damping="1"', SERVO.format('kv="200"'), "", ""),
    "a damping ratio": ("", SERVO.format('dampratio="3"'), "", ""),
    "a gear": ("", SERVO.format('kv="200" gear="0.5"'), "", ""),
    "a gear that turns round": ("", SERVO.format('kv="200" gear="-1"'), "", ""),
    "a limit of the joint": ('actuatorfrcrange="-4 4"', SERVO.format('kv="200"'), "", ""),
    "a filter": ("", SERVO.format('kv="200" timeconst="0.01"'), "", ""),
    "another integrator": ("", SERVO.format('kv="200"'), 'integrator="RK4"', ""),
    "a coarse step": ("", SERVO.format('kv="200"'), 'timestep="0.01"', ""),
}


def light_wrist(folder: Path, case: str) -> RobotProfile:
    joint, wrist, option, gains = CASES[case]
    mjcf = MJCF.format(joint=joint, wrist=wrist, option=option)
    (folder / "arm.xml").write_text(mjcf, encoding="utf-8")
    servos = f"    servos:\n      wrist: {{stiffness: {gains}}}\n" if gains else ""
    (folder / "robot.yaml").write_text(PROFILE + servos, encoding="utf-8")
    return load_profile(folder)


@pytest.mark.parametrize("case", CASES)
def test_a_limited_servo_follows(case: str, tmp_path: Path) -> None:
    world = World(compile_robot(light_wrist(tmp_path, case)))
    target = np.array([0.04, 0.04])
    for _ in range(150):
        world.apply(target)
        world.step()
    np.testing.assert_allclose(world.joint_position, target, atol=2e-3)
    np.testing.assert_allclose(world.joint_velocity, 0.0, atol=0.01)


@pytest.mark.parametrize("knock_rad_s", [0.5, 5.0])
@pytest.mark.parametrize("case", CASES)
def test_a_knocked_servo_comes_to_rest(case: str, knock_rad_s: float, tmp_path: Path) -> None:
    world = World(compile_robot(light_wrist(tmp_path, case)))
    world.set_joint_velocity([0.0, knock_rad_s])
    for _ in range(300):
        world.step()
    np.testing.assert_allclose(world.joint_velocity, 0.0, atol=0.01)
    np.testing.assert_allclose(world.joint_position, 0.0, atol=5e-3)


@pytest.mark.parametrize(
    ("case", "limit"),
    [("no limit of its own", 10.0), ("a limit of its own", 6.0), ("a limit of the joint", 4.0)],
)
def test_the_force_stays_limited(case: str, limit: float, tmp_path: Path) -> None:
    world = World(compile_robot(light_wrist(tmp_path, case)))
    world.set_joint_velocity([0.0, 5.0])
    largest = 0.0
    for _ in range(20):
        world.step()
        largest = max(largest, abs(world.joint_effort[1]))
    assert largest == pytest.approx(limit)


def test_a_limit_that_does_no_harm_stays_where_it_is(tmp_path: Path) -> None:
    """The robots that ship are stepped as before, and so are recordings of them."""
    for robot in ("desk_arm", "bench_arm", "desk_duo"):
        model = compile_robot(load_profile(robot)).mj_model
        assert model.actuator_forcelimited.all()
        assert not model.jnt_actfrclimited.any()


def test_a_limited_servo_on_a_tendon_follows(tmp_path: Path) -> None:
    servo = '<position name="a2" tendon="cable" kp="2000" kv="200" forcerange="-6 6"/>'
    cable = '<tendon><fixed name="cable"><joint joint="wrist" coef="1"/></fixed></tendon>'
    mjcf = MJCF.format(joint="", wrist=servo, option="").replace(
        "  <actuator>", f"{cable}<actuator>"
    )
    (tmp_path / "arm.xml").write_text(mjcf, encoding="utf-8")
    names = "    actuators: {wrist: a2}\n"
    (tmp_path / "robot.yaml").write_text(PROFILE + names, encoding="utf-8")
    world = World(compile_robot(load_profile(tmp_path)))
    world.set_joint_velocity([0.0, 2.0])
    for _ in range(150):
        world.apply([0.0, 0.04])
        world.step()
    np.testing.assert_allclose(world.joint_position, [0.0, 0.04], atol=2e-3)
    np.testing.assert_allclose(world.joint_velocity, 0.0, atol=0.01)


def test_two_actuators_on_one_joint_keep_their_own_limits(tmp_path: Path, table: Path) -> None:
    second = '<motor name="brake" joint="wrist" gear="1"/>'
    mjcf = MJCF.format(joint="", wrist=SERVO.format('kv="200"') + second, option="")
    (tmp_path / "arm.xml").write_text(mjcf, encoding="utf-8")
    names = "    actuators: {wrist: a2}\n    held_actuators: {brake: 1.0}\n"
    (tmp_path / "robot.yaml").write_text(PROFILE + names, encoding="utf-8")
    model = compose(load_profile(tmp_path), table).mj_model
    assert model.actuator_forcerange[model.actuator("robot/a2").id].tolist() == [-10.0, 10.0]
    assert model.actuator_forcelimited[model.actuator("robot/a2").id]
