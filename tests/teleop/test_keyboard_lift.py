"""A cube is lifted with the keyboard: real key events, the simulated arm, no ROS."""

from __future__ import annotations

import time

import pytest
from keyboard_pilot import KeyboardPilot, Typist

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import Command
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.sim.model import compile_robot
from robot_learning.sim.tasks import make_task
from robot_learning.teleop.device import TeleopContext
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.keyboard import Keyboard
from robot_learning.teleop.keyboard_map import load_keyboard_map
from robot_learning.teleop.teleop_controller import DISENGAGED, TeleopController

pytestmark = pytest.mark.xdist_group("x_server")


def until_typed(keyboard: Keyboard, typist: Typist) -> None:
    """Simulated time waits for the X server, however busy the machine is; for no longer than a
    pause after which the keyboard would not trust its keys any more.
    """
    give_up_s = time.monotonic() + 0.25
    while len(keyboard._tracker._down) != len(typist.held) and time.monotonic() < give_up_s:
        time.sleep(0.001)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_keyboard_lifts_the_cube(profile: RobotProfile, x_server, seed: int) -> None:
    model = compile_robot(profile)
    kinematics = InverseKinematics(
        model.mj_model, profile, model.qpos_addresses, model.dof_addresses
    )
    controller, state = TeleopController(profile, kinematics), DISENGAGED
    robot = MujocoRobot(profile, make_task("lift"), cameras=(), seed=seed)
    robot.connect()
    pilot, typist = KeyboardPilot(profile), Typist(x_server.display)
    keyboard = Keyboard(profile, load_keyboard_map())
    keyboard.open()
    applied = wanted = None
    try:
        for _ in range(3000):
            observation = robot.observe()
            keys = pilot.keys(observation.poses, observation.joint_position)
            typist.hold(keys, obeyed=wanted is None or wanted.engaged)
            until_typed(keyboard, typist)
            context = TeleopContext(observation, applied)
            wanted = keyboard.poll(time.monotonic_ns(), context)
            state, command = controller.step(state, wanted, context, 0.02)
            if command.position is not None:
                taken = robot.apply(Command(robot.now_ns, command.position))
                applied = taken.position
            robot.advance()
            if robot.success():
                break
        assert robot.success(), f"not lifted within a minute of simulated time: {command.warnings}"
    finally:
        typist.close()
        keyboard.close()
        robot.disconnect()
