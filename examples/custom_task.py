"""A task of your own: a class that places objects and says what counts.

python examples/custom_task.py --robot bench_arm

`settle` hangs a target in the air, as `reach` does, and wants the hand to rest there. Scripted
experts and everything that takes an environment work with it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.sim.env import make_env
from robot_learning.sim.experts import make_expert
from robot_learning.sim.task import Task, Values
from robot_learning.sim.tasks.layout import SCENES, Area, closeness, distance, fit_mat, yaw_pose
from robot_learning.sim.world import World


@dataclass(frozen=True)
class Settle(Task):
    """The hand rests at the target: within `tolerance_m`, no joint faster than `still_rad_s`."""

    name: str = "settle"
    scene: Path = SCENES / "reach.xml"
    objects: tuple[str, ...] = ("target",)
    horizon: int = 300
    tolerance_m: float = 0.015
    still_rad_s: float = 0.02

    def adapt(self, scene: mujoco.MjSpec, profile: RobotProfile) -> None:
        """Lay out the mat to the robot's workspace."""
        fit_mat(scene, profile)

    def place(self, world: World, rng: np.random.Generator) -> None:
        """The target in the middle of the workspace's height."""
        arm = world.profile.arms[0]
        x, y = Area.of(arm).shrink(0.02).sample(rng)
        height_m = (arm.workspace.min_m[2] + arm.workspace.max_m[2]) / 2
        world.set_pose("target", yaw_pose(x, y, height_m))

    def success(self, values: Values, profile: RobotProfile) -> BoolArray:
        """See the class; the leading dimensions are those of a batch of worlds."""
        still = np.abs(values["joint_velocity"]).max(axis=-1) < self.still_rad_s
        return np.asarray(still & (self._gap_m(values, profile) < self.tolerance_m))

    def reward(self, values: Values, profile: RobotProfile) -> FloatArray:
        """Up to 0.9 for being close; 1 on success."""
        shaped = 0.9 * closeness(self._gap_m(values, profile), 0.1)
        return np.where(self.success(values, profile), 1.0, shaped)

    def _gap_m(self, values: Values, profile: RobotProfile) -> FloatArray:
        return distance(values["target"], values[profile.arms[0].end_effector_name])


def main() -> None:
    """Let the expert of `reach` try it."""
    parser = argparse.ArgumentParser(description="A task of one's own.")
    parser.add_argument("--robot", default="desk_arm")
    parser.add_argument("--episodes", type=int, default=3)
    arguments = parser.parse_args()

    env = make_env(arguments.robot, Settle())
    expert = make_expert("reach", env.profile)
    for episode in range(arguments.episodes):
        observation, info = env.reset(seed=episode)
        expert.reset(episode)
        steps, done = 0, False
        while not done:
            observation, _, terminated, truncated, info = env.step(expert(observation))
            steps, done = steps + 1, terminated or truncated
        print(
            f"episode {episode}: {'settled' if info['success'] else 'not settled'}, {steps} steps"
        )
    env.close()


if __name__ == "__main__":
    main()
