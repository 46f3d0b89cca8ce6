"""Let a trained policy act, in one of this package's tasks or in any gymnasium environment.

python examples/use_policy.py runs/lift
python examples/use_policy.py runs/dagger-Pendulum-v1/seed_0 --env Pendulum-v1
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium

from robot_learning.learning.evaluation.evaluation import profile_for
from robot_learning.policies import load_policy
from robot_learning.policies.execution import observation_name
from robot_learning.sim.env import make_env


def main() -> None:
    """Run the episodes and print how each went."""
    parser = argparse.ArgumentParser(description="A trained policy in its environment.")
    parser.add_argument("run", help="folder of a training, or of a checkpoint")
    parser.add_argument("--env", help="id of a gymnasium environment; default: the policy's task")
    parser.add_argument("--episodes", type=int, default=3)
    arguments = parser.parse_args()

    policy = load_policy(arguments.run)
    if arguments.env:
        env: gymnasium.Env[Any, Any] = gymnasium.make(arguments.env)
    else:
        spec, trained_for = policy.spec, policy.details
        # The robot with cameras of the size that the policy was trained with, if it sees any.
        robot = profile_for(spec, trained_for.robot)
        cameras = [observation_name(seen.key) for seen in spec.observations if seen.is_image]
        env = make_env(robot, trained_for.task, cameras=cameras, control_rate_hz=spec.rate_hz)
    for episode in range(arguments.episodes):
        observation, _ = env.reset(seed=episode)
        policy.reset()
        steps, total, done = 0, 0.0, False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
            steps, total, done = steps + 1, total + float(reward), terminated or truncated
        print(f"episode {episode}: {steps} steps, return {total:.1f}")
    env.close()


if __name__ == "__main__":
    main()
