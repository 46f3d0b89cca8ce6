"""The options of `bc`, `ccil`, `dagger`, `dart` with `--env`: any environment, any expert.

`add_options(parser)` gives a command these options, `run(arguments, algorithm)` does what they
ask for. A command that has some of them already (`--set`, `--out`, `--resume`, …) says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.target_rate import TARGET_RATE, TARGET_RATE_TEXT
from robot_learning.learning.imitation.expert_check import check_expert
from robot_learning.learning.imitation.references import check_references

GROUP = "any gymnasium environment (--env)"
# A round is an iteration; papers use both words, and so may a user.
_OTHER_NAMES = {
    "--rounds": "--iterations",
    "--episodes-per-round": "--episodes-per-iteration",
}
# What `dagger` and `dart` take with --env and without it, in words that fit both.
SHARED: dict[str, dict[str, Any]] = {
    "--resume": {"action": "store_true", "help": "continue the run in that folder"},
    "--policy": {"metavar": "FAMILY", "help": "policy family to train (default: deterministic)"},
    "--set": {
        "action": "append",
        "default": [],
        "metavar": "NAME=VALUE",
        "help": "a training setting, as for `robot-learning train`; with --env, a setting "
        "of the algorithm; may be repeated",
    },
}
TARGET_RATE_OPTION: dict[str, Any] = {
    "type": float,
    "metavar": "SHARE",
    "help": f"{TARGET_RATE_TEXT} (default: {TARGET_RATE}, or as in the run that is resumed)",
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "--env": {
        "metavar": "ID",
        "help": "id of a gymnasium environment, as module:ID if a module registers it; this "
        "package's tasks are robot_learning/Lift-v0 and so on",
    },
    "--expert": {
        "metavar": "MODULE:CALLABLE",
        "help": "a callable (observation, info) -> action, or a class or function that makes one "
        "(it is given the environment if it takes an argument) (default: scripted, the expert of "
        "this package's task)",
    },
    "--env-set": {
        "action": "append",
        "default": [],
        "metavar": "NAME=VALUE",
        "help": "an argument of the environment; may be repeated",
    },
    "--policy": {"metavar": "FAMILY", "help": "policy family (default: deterministic)"},
    "--gate": {
        "metavar": "KIND",
        "help": "for dagger: none (label everything), human (HG-DAgger), ensemble or thrifty "
        "(default: none)",
    },
    "--target-rate": TARGET_RATE_OPTION,
    "--noise": {
        "type": float,
        "metavar": "SIGMA",
        "help": "noise on the expert's actions while it demonstrates, as a share of half the "
        "action range (default: none)",
    },
    "--set": {
        "action": "append",
        "default": [],
        "metavar": "NAME=VALUE",
        "help": "any other setting, such as fit.steps=5000, policy.hidden='[32, 32]' or "
        "mixture.p=0.7; may be repeated",
    },
    "--budget": {
        "action": "append",
        "default": [],
        "metavar": "labels=N|episodes=N",
        "help": "stop after N labels or N episodes; both may be given",
    },
    "--rounds": {"type": int, "help": "rounds at most (default: until the budget is spent, or 10)"},
    "--episodes-per-round": {
        "type": int,
        "metavar": "N",
        "help": "episodes in each round (default: 5)",
    },
    "--initial-episodes": {
        "type": int,
        "metavar": "N",
        "help": "episodes of round 0, which the expert drives (default: as in other rounds)",
    },
    "--rows-per-episode": {
        "type": int,
        "metavar": "N",
        "help": "rows of each episode, chosen at random, to keep as labels (default: all)",
    },
    "--evaluate-episodes": {
        "type": int,
        "metavar": "N",
        "help": "episodes to evaluate after each round (default: 20)",
    },
    "--success-return": {
        "type": float,
        "metavar": "RETURN",
        "help": "return from which an episode counts as a success, if `info` does not say",
    },
    "--seeds": {
        "type": int,
        "default": 1,
        "metavar": "N",
        "help": "runs, each with a seed of its own",
    },
    "--seed": {"type": int, "default": 0, "help": "seed of the first run"},
    "--jobs": {
        "type": int,
        "default": 0,
        "help": "runs at a time; 0 means one per core (default: 0)",
    },
    "--out": {"type": Path, "help": "output folder (default: runs/ALGORITHM-ENV)"},
    "--resume": {"action": "store_true", "help": "continue the runs in that folder"},
}


def add_options(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add the options as a group of their own.

    Args:
        parser: parser of the command.
        without: options that the command has already, such as `--out`. Theirs must leave the
            same kind of value under the same name, or the command sets it before `run`:
            `set` and `budget` lists of texts, `out` a path or None, `resume` a bool, `rounds`,
            `episodes_per_round`, … a number or None.
    """
    group = parser.add_argument_group(GROUP)
    add_each(group, {name: it for name, it in _OPTIONS.items() if name not in without})


def add_each(parser: argparse._ActionsContainer, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Add options, which are known by their other names too.

    Args:
        parser: parser of the command, or a group of its options.
        options: settings of `add_argument` of each option, by its name.
    """
    for name, settings in options.items():
        other = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else []
        parser.add_argument(name, *other, **settings)


def run(arguments: argparse.Namespace, algorithm: str) -> int:
    """Run the seeds and show their rounds; 0 when all of them ended well.

    Args:
        arguments: parsed; `env` is given.
        algorithm: `bc`, `ccil`, `dagger` or `dart`.

    Raises:
        RobotLearningError: an option, the environment or the expert is wrong.
    """
    if not arguments.env:
        raise ConfigurationError("--env: name a gymnasium environment, such as Pendulum-v1")
    if not arguments.expert and not arguments.env.startswith("robot_learning"):
        raise ConfigurationError("--expert: name a module:callable, (observation, info) -> action")
    # Before what trains, which takes seconds to load.
    check_references(arguments.env, arguments.expert or "")
    if arguments.expert:
        check_expert(arguments.expert)
    from robot_learning.cli.interactive.imitation_run import run_imitation

    return run_imitation(arguments, algorithm)
