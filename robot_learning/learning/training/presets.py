"""Settings that are known to work, by family and size.

Chunks: the errors of single actions compound, as the demonstrator's commands run a little ahead of
the joints. Families that can predict a chunk therefore execute half of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from robot_learning.core.errors import unknown_choice
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.errors import RunError
from robot_learning.policies.families import family_named

_EVERY_POLICY = TrainConfig().policy
SIZES = ("small", "reference")
_CHUNK: Mapping[str, Any] = {"action_steps": 16, "executed_steps": 8}
_SMALL: Mapping[str, Mapping[str, Any]] = {
    "deterministic": {"steps": 6000, "data": _CHUNK},
    "gaussian": {"steps": 6000, "data": _CHUNK},
    "gmm": {"steps": 6000, "data": _CHUNK},
    "rnn_gmm": {"steps": 6000, "batch_size": 128},
    "autoregressive": {
        "steps": 3000,
        "batch_size": 64,
        "data": {"action_steps": 8, "executed_steps": 8},
        "policy": {
            "observation_margin": 0.1,
            "label_width_bins": 8.0,
            "hidden": [512, 512],
            "width": 64,
            "smallest_share": 0.5,
        },
        "optimizer": {"learning_rate": 1e-3},
    },
    "act": {
        "steps": 6000,
        "batch_size": 64,
        "data": {"executed_steps": 8},
        "optimizer": {"learning_rate": 3e-4},
    },
    "diffusion": {
        "steps": 8000,
        "batch_size": 128,
        "optimizer": {"learning_rate": 5e-4, "warmup_steps": 500},
    },
    "flow": {
        "steps": 8000,
        "batch_size": 128,
        "optimizer": {"learning_rate": 5e-4, "warmup_steps": 500},
    },
}
_REFERENCE_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "act": {
        "steps": 100_000,
        "batch_size": 8,
        "optimizer": {"learning_rate": 1e-5, "weight_decay": 1e-4, "schedule": "constant"},
    },
    "diffusion": {
        "steps": 100_000,
        "batch_size": 256,
        "optimizer": {
            "learning_rate": 1e-4,
            "betas": [0.95, 0.999],
            "warmup_steps": 500,
        },
        "ema": {"decay": 0.9999},
    },
    "flow": {
        "steps": 100_000,
        "batch_size": 256,
        "optimizer": {
            "learning_rate": 1e-4,
            "betas": [0.95, 0.999],
            "warmup_steps": 500,
        },
        "ema": {"decay": 0.9999},
    },
}
_ROBOMIMIC = {
    "steps": 100_000,
    "batch_size": 100,
    "optimizer": {"learning_rate": 1e-4, "weight_decay": 0.0, "schedule": "constant"},
}


def preset(family: str, size: str = "small") -> TrainConfig:
    """The settings of a family: `small` trains in minutes on a CPU, `reference` is the paper's.

    Raises:
        PolicyError: no such family.
        RunError: no such size.
    """
    found = family_named(family)
    if size not in SIZES:
        raise RunError(unknown_choice("preset", size, SIZES))
    if size == "reference":
        config = TrainConfig(
            family=family, policy={**found.reference, **_EVERY_POLICY}
        ).with_values(
            {
                "data": asdict(found.reference_horizons),
                "validation": {"every_steps": 5000, "rollout_episodes": 50},
            }
        )
        return config.with_values(_REFERENCE_TRAINING.get(family, _ROBOMIMIC))
    config = TrainConfig(family=family).with_values(
        {"data": asdict(found.horizons), "ema": {"decay": 0.999}}
    )
    config = config.with_values(_SMALL.get(family, {}))
    # Where the task can be simulated, success decides which checkpoint is the best.
    validation = {"every_steps": config.steps // 4, "rollout_episodes": 25}
    return config.with_values({"validation": validation})
