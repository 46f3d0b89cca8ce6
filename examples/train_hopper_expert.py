"""Train the expert of examples/hopper_expert.py: PPO on Hopper-v5, saved as plain arrays.

python examples/train_hopper_expert.py --seed 0 --steps 1000000 --into hopper_expert.npz

Needs stable-baselines3 (`pip install 'robot_learning[dev]'`). One core, one thread; the seed
repeats the result on one machine with one version of everything. What is saved is the
deterministic policy alone: the weights of a small tanh network, and the mean and scale by which
the observation is normalised. No pickle.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

ENV = "Hopper-v5"
ENVS, ROLLOUT_STEPS, BATCH, EPOCHS = 8, 256, 128, 10
LEARNING_RATE, DISCOUNT, ENTROPY = 3e-4, 0.99, 0.0
HIDDEN = (64, 64)


def train(seed: int, steps: int) -> tuple[PPO, VecNormalize]:
    """A policy after `steps` steps of all environments together."""
    torch.set_num_threads(1)
    venv = VecNormalize(make_vec_env(ENV, n_envs=ENVS, seed=seed), gamma=DISCOUNT)
    model = PPO(
        "MlpPolicy",
        venv,
        seed=seed,
        n_steps=ROLLOUT_STEPS,
        batch_size=BATCH,
        n_epochs=EPOCHS,
        gamma=DISCOUNT,
        ent_coef=ENTROPY,
        learning_rate=lambda remaining: LEARNING_RATE * max(remaining, 0.05),
        policy_kwargs={"net_arch": list(HIDDEN), "log_std_init": -0.5},
        device="cpu",
        verbose=1,
    )
    model.learn(steps, log_interval=20)
    return model, venv


def save(model: PPO, venv: VecNormalize, path: Path) -> None:
    """Write the deterministic policy as arrays: layers `w0 b0 w1 ...`, `mean`, `scale`, `clip`."""
    statistics: Any = venv.obs_rms
    layers = [*model.policy.mlp_extractor.policy_net, model.policy.action_net]
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    arrays = {
        "mean": statistics.mean.astype(np.float32),
        "scale": np.sqrt(statistics.var + venv.epsilon).astype(np.float32),
        "clip": np.float32(venv.clip_obs),
    }
    for number, layer in enumerate(linear):
        arrays[f"w{number}"] = layer.weight.detach().numpy()
        arrays[f"b{number}"] = layer.bias.detach().numpy()
    np.savez(path, **arrays)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train a hopper's expert.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--into", type=Path, required=True)
    arguments = parser.parse_args()
    model, venv = train(arguments.seed, arguments.steps)
    save(model, venv, arguments.into)


if __name__ == "__main__":
    main()
