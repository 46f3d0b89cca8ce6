"""What bench_imitation.py compares: four environments, six methods, one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium

from robot_learning.learning.imitation.config import ImitationConfig

# Laskey et al. 2017 train on 50 samples of each trajectory; here everybody does.
ROWS_PER_EPISODE = 50


@dataclass(frozen=True)
class Case:
    """An environment and its expert.

    Attributes:
        title: for people.
        env: a gymnasium id, or `module:callable` that makes the environment.
        expert: as `run_imitation` takes it.
        unit: of the action.
        max_steps: an episode's; 0 for the environment's own limit.
        episodes: collected in a round.
        sigma: of isotropic noise and of DART's first round, scaled actions.
        deviation: at which the simulated human takes over; it hands back below half of it.
        success_return: from which on an episode is a success; None if `info` says.
    """

    title: str
    env: str
    expert: str
    unit: str
    max_steps: int
    episodes: int
    sigma: float
    deviation: float
    success_return: float | None = None


CASES: Mapping[str, Case] = {
    "lift": Case(
        "lift (desk_arm)", "robot_learning/Lift-v0", "scripted", "rad²", 200, 10, 0.01, 0.15
    ),
    "push": Case(
        "push (desk_arm)", "robot_learning/Push-v0", "scripted", "rad²", 250, 10, 0.01, 0.15
    ),
    "pendulum": Case(
        "Pendulum-v1, energy and LQR",
        "pendulum_expert:make_env",
        "pendulum_expert:expert",
        "Nm²",
        0,
        2,
        0.3,
        0.3,
    ),
    "hopper": Case(
        "Hopper-v5, PPO", "Hopper-v5", "hopper_expert:HopperExpert", "1", 300, 2, 0.1, 0.3, 820.0
    ),
}

METHODS: Mapping[str, str] = {
    "bc": "BC",
    "noise": "BC + isotropic noise",
    "ccil": "CCIL",
    "dart": "DART",
    "dagger": "DAgger",
    "hg_dagger": "HG-DAgger",
}


@dataclass(frozen=True)
class Effort:
    """How much is spent on one run: rounds, gradient steps a round, episodes of an evaluation."""

    rounds: int
    steps: int
    episodes: int
    reference_episodes: int


FULL = Effort(rounds=6, steps=2000, episodes=12, reference_episodes=5)
QUICK = Effort(rounds=2, steps=100, episodes=3, reference_episodes=2)


def config_of(case: Case, method: str, seed: int, effort: Effort) -> ImitationConfig:
    """What a run of `method` is asked for."""
    values: dict[str, Any] = {
        "seed": seed,
        "rounds": effort.rounds,
        "episodes_per_round": case.episodes,
        "rows_per_episode": ROWS_PER_EPISODE,
        "max_episode_steps": case.max_steps,
        "envs": 25,
        "policy": {"hidden": [64, 64]},
        "fit": {"steps": effort.steps},
        "evaluation": {
            "episodes": effort.episodes,
            "reference_episodes": effort.reference_episodes,
            "success_return": case.success_return,
        },
    }
    return ImitationConfig().with_values({**values, **_of_method(case, method)})


def _of_method(case: Case, method: str) -> dict[str, Any]:
    if method == "bc":
        return {"algorithm": "bc"}
    if method == "ccil":
        return {"algorithm": "ccil"}
    if method == "noise":
        return {"algorithm": "bc", "noise": {"sigma": case.sigma}}
    if method == "dart":
        return {"algorithm": "dart", "noise": {"sigma": case.sigma}}
    if method == "hg_dagger":
        gate = {
            "kind": "human",
            "takeover_deviation": case.deviation,
            "hand_back_deviation": case.deviation / 2,
            "members": 1,
        }
        return {"algorithm": "dagger", "gate": gate}
    return {"algorithm": "dagger"}


def env_of(case: Case) -> str | Callable[[], gymnasium.Env[Any, Any]]:
    """What `run_imitation` takes as the environment."""
    module_name, colon, name = case.env.partition(":")
    if not colon:
        return case.env
    import importlib

    return getattr(importlib.import_module(module_name), name)  # type: ignore[no-any-return]
