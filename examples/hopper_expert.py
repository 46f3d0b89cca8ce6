"""A dense feedback expert for gymnasium's Hopper-v5: a gait that PPO found, as plain arrays.

python examples/hopper_expert.py --seeds 100

`train_hopper_expert.py` made the weights beside this file. The action depends on the observation
alone, so that it is a label in any state, also in those that a policy got into.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

ENV = "Hopper-v5"
WEIGHTS = Path(__file__).with_suffix(".npz")


class HopperExpert:
    """The deterministic policy: a tanh network on the normalised observation."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        """Read the arrays that `train_hopper_expert.py` wrote."""
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        self._mean, self._scale = arrays["mean"], arrays["scale"]
        self._clip = float(arrays["clip"])
        count = sum(name.startswith("w") for name in arrays)
        self._layers = [(arrays[f"w{k}"], arrays[f"b{k}"]) for k in range(count)]

    def __call__(
        self, observation: npt.ArrayLike, info: Mapping[str, Any] | None = None
    ) -> FloatArray:
        """(3,) torques in [-1, 1] for the observation (11,)."""
        values = (np.asarray(observation, np.float32) - self._mean) / self._scale
        values = np.clip(values, -self._clip, self._clip)
        for weight, bias in self._layers[:-1]:
            values = np.tanh(weight @ values + bias)
        weight, bias = self._layers[-1]
        return np.asarray(np.clip(weight @ values + bias, -1.0, 1.0), np.float32)


def main() -> None:
    """Let it hop from many starts."""
    parser = argparse.ArgumentParser(description="Let the expert hop.")
    parser.add_argument("--seeds", type=int, default=100)
    seeds = parser.parse_args().seeds
    env, expert = gymnasium.make(ENV), HopperExpert()
    returns, upright = [], 0
    for seed in range(seeds):
        observation, info = env.reset(seed=seed)
        total, done, fell = 0.0, False, False
        while not done:
            observation, reward, fell, truncated, info = env.step(expert(observation, info))
            total, done = total + float(reward), fell or truncated
        returns.append(total)
        upright += not fell
    spread = f"{np.mean(returns):.0f} (standard deviation {np.std(returns):.0f})"
    print(f"{upright} of {seeds} did not fall in 1,000 steps; return {spread}")
    env.close()


if __name__ == "__main__":
    main()
