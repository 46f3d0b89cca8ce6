"""How fast PPO learns, beside Stable-Baselines3 with the same recipe, one thread each.

python benchmarks/bench_ppo.py [--envs Hopper-v5 Walker2d-v5] [--repetitions 5]

8 environments of 256 steps between updates, minibatches of 128, 10 epochs, two layers of 64 tanh
units, normalised observations and rewards. Both take turns, update by update. Counted are steps in
the environments per second, collecting and learning together.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

# Before NumPy is loaded, which reads it once.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
from harness import Row, Spread, ratio, report, take_turns
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.proximal import Ppo
from robot_learning.learning.reinforcement.stepping import make_stepper

ENVIRONMENTS = ["Hopper-v5", "Walker2d-v5"]
ENVS, STEPS = 8, 256
OURS, THEIRS = "robot_learning", "Stable-Baselines3"
LEAST_RATIO = 2.0


def ours(env: str) -> Callable[[], object]:
    """A function that collects and learns once."""
    config = ReinforcementConfig(algorithm="ppo", envs=ENVS, steps=10**7)
    learner = Ppo(config, make_stepper(env, {}, ENVS))
    numbers = iter(range(1, 10**6))
    return lambda: learner.iterate(next(numbers))


def theirs(env: str) -> Callable[[], object]:
    """The same with Stable-Baselines3."""
    model = PPO(
        "MlpPolicy",
        VecNormalize(make_vec_env(env, ENVS)),
        n_steps=STEPS,
        batch_size=128,
        n_epochs=10,
        device="cpu",
    )
    return lambda: model.learn(ENVS * STEPS, reset_num_timesteps=False)


def compared(env: str, repetitions: int) -> list[Row]:
    """The steps per second of both, and their ratio."""
    seconds = take_turns({OURS: ours(env), THEIRS: theirs(env)}, repetitions)
    rows = [
        Row(f"{env}: {name}", Spread.of([ENVS * STEPS / second for second in each]), "steps/s")
        for name, each in seconds.items()
    ]
    faster = ratio(seconds[THEIRS], seconds[OURS])
    return [*rows, Row(f"{env}: {OURS} / {THEIRS}", faster, "ratio", f">= {LEAST_RATIO}")]


def main() -> None:
    """Let both take turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--envs", nargs="+", default=ENVIRONMENTS, help="gymnasium environments")
    parser.add_argument("--repetitions", type=int, default=5, help="updates of each (5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for env in arguments.envs for row in compared(env, arguments.repetitions)]
    report("ppo", rows, {"repetitions": arguments.repetitions})


if __name__ == "__main__":
    main()
