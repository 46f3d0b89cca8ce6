"""Let the scripted expert lift cubes in simulation: no ROS, no screen, no GPU.

python examples/lift_with_expert.py --episodes 5
"""

from __future__ import annotations

import argparse

from robot_learning.core.profile_loader import load_profile
from robot_learning.sim.env import make_env
from robot_learning.sim.experts import make_expert


def main() -> None:
    """Run the episodes and print how each went."""
    parser = argparse.ArgumentParser(description="A scripted expert in a simulated task.")
    parser.add_argument("--robot", default="desk_arm")
    parser.add_argument("--task", default="lift")
    parser.add_argument("--episodes", type=int, default=5)
    arguments = parser.parse_args()

    env = make_env(robot=arguments.robot, task=arguments.task)
    expert = make_expert(arguments.task, load_profile(arguments.robot))
    successes = 0
    for episode in range(arguments.episodes):
        observation, info = env.reset(seed=episode)
        expert.reset(seed=episode)
        steps, done = 0, False
        while not done:
            # The expert looks at the observation only, so anybody may have acted before it.
            observation, _, terminated, truncated, info = env.step(expert(observation, info))
            steps, done = steps + 1, terminated or truncated
        successes += info["success"]
        print(f"episode {episode}: {'success' if info['success'] else 'failure'}, {steps} steps")
    print(f"{successes} of {arguments.episodes} succeeded")
    env.close()


if __name__ == "__main__":
    main()
