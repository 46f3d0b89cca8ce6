"""What `robot-learning rl` does: the study that its options ask for, its progress and table."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from robot_learning.cli.common.console import make_console, make_table, print_table, progress_bar
from robot_learning.cli.interactive.imitation_run import folder_name
from robot_learning.cli.interactive.rl_plot import drawing, save_plot
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.learned_reward import load_reward
from robot_learning.learning.reinforcement.config import PreferenceConfig, ReinforcementConfig
from robot_learning.learning.reinforcement.own_tasks import task_arguments
from robot_learning.learning.reinforcement.remarks import remarks
from robot_learning.learning.reinforcement.state import RunState
from robot_learning.learning.reinforcement.study import (
    ReinforcementStudy,
    run_reinforcement_study,
    summary,
)
from robot_learning.learning.training.config import parse_overrides

_OF_REWARD = ("uncertainty_penalty", "ends", "window")
_OF_REFERENCE = ("target_kl", "kl_weight", "smallest_std")


def run_study(arguments: argparse.Namespace) -> int:
    """Run the seeds and show what they learned; 0 when all of them ended well.

    Raises:
        RobotLearningError: an option or the environment is wrong, or a run failed.
    """
    study = study_of(arguments)
    if arguments.plot:
        # Before hours of learning.
        drawing()
    console = make_console()
    total = study.config.steps * len(study.seeds)
    try:
        with progress_bar("learning", "step") as show:
            run_reinforcement_study(
                study, resume=arguments.resume, tell=lambda step: show(step, total)
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped; what is in {study.folder} is saved; the same command with --resume continues"
        ) from None
    _show(console, study)
    if arguments.plot:
        save_plot(study.states(), arguments.plot, f"{arguments.algorithm} in {study.env}")
    return 0


def study_of(arguments: argparse.Namespace) -> ReinforcementStudy:
    """The study that the options ask for.

    Raises:
        RobotLearningError: an option is wrong; the text says which.
    """
    name = folder_name(arguments.env)
    given = parse_overrides(arguments.env_set)
    config = config_of(arguments)
    return ReinforcementStudy(
        config=config,
        env=arguments.env,
        env_kwargs=environment_arguments(arguments.env, given, config.discount),
        folder=arguments.out or Path("runs") / f"{arguments.algorithm}-{name}",
        seeds=tuple(range(arguments.seed, arguments.seed + arguments.seeds)),
        jobs=arguments.jobs,
    )


def environment_arguments(env: str, given: Mapping[str, Any], discount: float) -> dict[str, Any]:
    """The arguments of an environment: those given, before those that this package's tasks get.

    Args:
        env: id of the environment.
        given: arguments that the user gave.
        discount: discount γ of the run, which a shaped reward uses.
    """
    return {**task_arguments(env, discount), **given}


def config_of(arguments: argparse.Namespace) -> ReinforcementConfig:
    """The configuration that the options ask for.

    Raises:
        RobotLearningError: an option is wrong; the text says which.
    """
    given = {
        "algorithm": arguments.algorithm,
        "steps": arguments.steps,
        "envs": arguments.envs,
        "reinforce.signal": arguments.signal,
        "reinforce.baseline": arguments.baseline,
        "preference.reward": str(arguments.reward) if arguments.reward else None,
        "preference.reference": str(arguments.reference) if arguments.reference else None,
    }
    values = {name: value for name, value in given.items() if value is not None}
    settings = parse_overrides(arguments.set)
    _refuse_idle(arguments, settings)
    config = ReinforcementConfig().with_values(values).with_values(settings)
    _refuse_idle_preference(config, settings)
    _load(config.preference)
    return config


def _load(config: PreferenceConfig) -> None:
    """Load what the settings name, before a process for each seed finds what is wrong with it."""
    if config.reward:
        load_reward(Path(config.reward))
    if config.reference:
        # It loads PyTorch, which takes seconds.
        from robot_learning.policies.checkpoint import load_checkpoint

        load_checkpoint(config.reference)


def _refuse_idle_preference(config: ReinforcementConfig, settings: Mapping[str, Any]) -> None:
    """Refuse settings of a reward or of a reference policy that there is not."""
    given, preference = settings.get("preference", {}), config.preference
    if config.algorithm != "ppo" and given:
        raise ConfigurationError(
            "--set preference: has no effect on `rl reinforce`; give `rl ppo` with --reward or "
            "--reference"
        )
    for name in given:
        if name in _OF_REWARD and not preference.reward:
            raise ConfigurationError(f"--set preference.{name}: has no effect without --reward")
        if name in _OF_REFERENCE and not preference.reference:
            raise ConfigurationError(f"--set preference.{name}: has no effect without --reference")


def _refuse_idle(arguments: argparse.Namespace, settings: Mapping[str, Any]) -> None:
    """Refuse what would have no effect."""
    algorithm = arguments.algorithm
    other = "ppo" if algorithm == "reinforce" else "reinforce"
    if arguments.seeds < 1:
        raise ConfigurationError(f"--seeds: expected at least 1, found {arguments.seeds}")
    if "seed" in settings:
        raise ConfigurationError("--set seed: each run has its own; give --seed, that of the first")
    if "algorithm" in settings:
        raise ConfigurationError("--set algorithm: give `rl reinforce` or `rl ppo`")
    if other in settings:
        raise ConfigurationError(
            f"--set {other}: has no effect on `rl {algorithm}`, whose own settings are "
            f"{algorithm}.*"
        )


def _show(console: Console, study: ReinforcementStudy) -> None:
    states = study.states()
    table = make_table(
        *("seed", "steps", "episodes", "kept after", "return", "success"),
        right=("seed", "steps", "episodes", "kept after", "return", "success"),
        title=str(study.folder),
    )
    for seed, state in states.items():
        episodes = state.results[-1].episodes if state.results else 0
        cells = (str(seed), str(state.step), str(episodes), str(state.best_step))
        table.add_row(*cells, _return(state), _success(state))
    print_table(console, table)
    for line in _lines(study, states):
        console.print(line, soft_wrap=True)


def _lines(study: ReinforcementStudy, states: Mapping[int, RunState]) -> list[str]:
    found = [f"seed {seed}: {line}" for seed, state in states.items() for line in remarks(state)]
    overall = summary(states)
    if overall["half_width"] is not None:
        mean, half = overall["return_mean"], overall["half_width"]
        found.append(f"return over {amount(overall['seeds'], 'seed')}: {mean:.1f} ± {half:.1f}")
    episodes = study.config.evaluation.final_episodes
    if episodes:
        found.append(f"returns are of {amount(episodes, 'greedy episode')}, on seeds of their own")
    if study.config.preference.reward:
        found.append("policies were chosen by the learned reward; returns are the environment's")
    folders = study.run_folder(study.seeds[0]) if len(study.seeds) == 1 else study.folder / "seed_*"
    found.append(f"policies: {folders}/best; figures: {folders}/metrics.csv, tensorboard/")
    return found


def _return(state: RunState) -> str:
    final = state.final
    if final is None or math.isnan(final.return_mean):
        return ""
    return f"{final.return_mean:.1f} [{final.return_low:.1f}, {final.return_high:.1f}]"


def _success(state: RunState) -> str:
    final = state.final
    return "" if final is None or final.success is None else f"{final.success:.2f}"
