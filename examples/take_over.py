"""A policy drives a simulated arm, a person takes over and hands back, in one process without ROS.

python examples/take_over.py

Both are functions of the observation here; a trained policy and a device take their places with
`serving` and `TeleopSource`. The policy is asked all the time, so that what it would have done is
known while the person drives.
"""

from __future__ import annotations

import numpy as np

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.runtime.function_source import FunctionSource
from robot_learning.runtime.session import Session, Subscriber
from robot_learning.sim.tasks import make_task

SECONDS = 3.0
HUMAN_S = (1.0, 2.0)
"""When the person holds the device."""


class Changes(Subscriber):
    """Prints every change of mode, and keeps how far apart person and policy were."""

    def __init__(self) -> None:
        self.largest_rad = 0.0

    def on_step(self, observation: Observation, decision: Decision) -> None:
        """Called once a control period."""
        for change in decision.transitions:
            now_s = observation.stamp_ns / NS_PER_S
            print(f"{now_s:.2f} s: {change.before.name} -> {change.after.name}: {change.reason}")
        difference = np.abs(decision.human - decision.policy)
        if np.isfinite(difference).all():
            self.largest_rad = max(self.largest_rad, float(difference.max()))


def main() -> None:
    """Run it, and print who drove when."""
    profile = load_profile("desk_arm")

    def policy(observation: Observation) -> FloatArray:
        return profile.home

    def human(observation: Observation) -> FloatArray | None:
        if not HUMAN_S[0] <= observation.stamp_ns / NS_PER_S < HUMAN_S[1]:
            return None
        target = np.array(observation.joint_position)
        target[0] += 0.02
        return target

    changes = Changes()
    with MujocoRobot(profile, make_task("reach")) as robot:
        session = Session(
            robot,
            Arbiter(arbiter_settings(profile)),
            human=FunctionSource(human, profile.joint_names),
            policy=FunctionSource(policy, profile.joint_names),
            subscribers=[changes],
        )
        session.reset(seed=0, requests=(Request.ENABLE, Request.HAND_BACK))
        steps = round(SECONDS * profile.control_rate_hz)
        session.run(steps * 3 // 4)
        # The person has let go and the arm holds: nobody but a person lets the policy drive again.
        session.ask(Request.HAND_BACK)
        session.run(steps // 4)
    print(f"person and policy were up to {changes.largest_rad:.2f} rad apart")


if __name__ == "__main__":
    main()
