"""What `bc`, `ccil`, `dagger` and `dart` do with `--env`: the study that their options ask for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from robot_learning.cli.interactive.imitation_view import show_study
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.expert import SCRIPTED
from robot_learning.learning.imitation.study import Study
from robot_learning.learning.training.config import parse_overrides

_DEFAULT_ROUNDS = 10


def run_imitation(arguments: argparse.Namespace, algorithm: str) -> int:
    """Run the seeds and show their rounds; 0 when all of them ended well.

    Raises:
        RobotLearningError: an option, the environment or the expert is wrong.
    """
    folder = arguments.out or Path("runs") / f"{algorithm}-{folder_name(arguments.env)}"
    study = Study(
        config=config_of(arguments, algorithm),
        env=arguments.env,
        env_kwargs=parse_overrides(arguments.env_set),
        expert=arguments.expert or SCRIPTED,
        folder=folder,
        seeds=tuple(range(arguments.seed, arguments.seed + max(1, arguments.seeds))),
        jobs=arguments.jobs,
    )
    return show_study(study, resume=arguments.resume)


def folder_name(env: str) -> str:
    """The environment's id without its module and namespace, as every file system takes it.

    >>> folder_name("my_envs:robots/Grid-v0")
    'Grid-v0'
    """
    return re.sub(r"[^\w.-]+", "-", re.split(r"[:/]", env)[-1])


def config_of(arguments: argparse.Namespace, algorithm: str) -> ImitationConfig:
    """The configuration that the options ask for.

    Raises:
        RobotLearningError: an option is wrong; the text says which.
    """
    budgets = [_budget(text) for text in arguments.budget]
    given: dict[str, Any] = {
        "algorithm": algorithm,
        "rounds": arguments.rounds if arguments.rounds is not None else _rounds(budgets),
        **dict(budgets),
        "family": arguments.policy,
        "gate.kind": arguments.gate,
        "gate.target_rate": arguments.target_rate,
        "noise.sigma": arguments.noise,
        "episodes_per_round": arguments.episodes_per_round,
        "initial_episodes": arguments.initial_episodes,
        "rows_per_episode": arguments.rows_per_episode,
        "evaluation.episodes": arguments.evaluate_episodes,
        "evaluation.success_return": arguments.success_return,
    }
    values = {name: value for name, value in given.items() if value is not None}
    return ImitationConfig().with_values(values).with_values(parse_overrides(arguments.set))


def _rounds(budgets: list[tuple[str, int]]) -> int:
    return 0 if budgets else _DEFAULT_ROUNDS


def _budget(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in ("labels", "episodes") or not number.isdigit() or int(number) < 1:
        raise ConfigurationError(f"--budget {text}: expected labels=N or episodes=N, N above 0")
    return f"budget_{name}", int(number)
