"""A device of your own: it reports what the operator wants, and knows no kinematics or limits.

python examples/custom_device.py

This one draws a circle in the air for as long as it is held. The same class would serve a pedal, a
phone or a data glove. Over ROS nodes it drives too, as it is:

robot-learning up teleop --device examples.custom_device:CircleDevice
"""

from __future__ import annotations

import math

import numpy as np

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.settings import arbiter_settings
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.session import Session
from robot_learning.runtime.teleop_source import TeleopSource
from robot_learning.sim.model import compile_robot
from robot_learning.sim.tasks import make_task
from robot_learning.teleop.device import CartesianJog, TeleopContext, TeleopDevice, TeleopInput
from robot_learning.teleop.inverse_kinematics import InverseKinematics
from robot_learning.teleop.teleop_controller import TeleopController

PERIOD_S = 4.0


class CircleDevice(TeleopDevice):
    """Deflects in a circle in the y-z plane; engaged all the time."""

    def __init__(self, profile: RobotProfile) -> None:
        self._arm = profile.arms[0].name

    def open(self) -> None:
        """Nothing to acquire."""

    def close(self) -> None:
        """Nothing to release."""

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """A deflection in [-1, 1] of full speed along y and z."""
        angle = 2.0 * math.pi * now_ns / NS_PER_S / PERIOD_S
        linear = (0.0, math.cos(angle), math.sin(angle))
        return TeleopInput(now_ns, True, (CartesianJog(self._arm, linear, (0.0, 0.0, 0.0)),))

    def describe(self) -> str:
        """For the operator."""
        return "draws a circle"


def kinematics_of(profile: RobotProfile) -> InverseKinematics:
    """What turns a motion of the hand into joint positions, from the profile's model."""
    model = compile_robot(profile)
    return InverseKinematics(model.mj_model, profile, model.qpos_addresses, model.dof_addresses)


def main() -> None:
    """Drive one circle, and print how far the hand went."""
    profile = load_profile("desk_arm")
    device = CircleDevice(profile)
    with MujocoRobot(profile, make_task("reach")) as robot:
        controller = TeleopController(profile, kinematics_of(profile))
        human = TeleopSource(device, controller, profile)
        session = Session(robot, Arbiter(arbiter_settings(profile)), human=human)
        session.reset(seed=0)
        hand = []
        for _ in range(round(PERIOD_S * profile.control_rate_hz)):
            step = session.step()
            hand.append(step.observation.poses[profile.arms[0].end_effector_name][:3])
    extent_m = np.ptp(np.array(hand), axis=0)
    print(
        "the hand went",
        ", ".join(f"{value:.3f} m along {a}" for a, value in zip("xyz", extent_m, strict=True)),
    )


if __name__ == "__main__":
    main()
