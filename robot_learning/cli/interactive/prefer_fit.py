"""What `robot-learning prefer fit` does."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from robot_learning.cli.common.console import make_console, make_table, progress_bar
from robot_learning.cli.interactive.segment_scene import environment_options
from robot_learning.core.amounts import amount
from robot_learning.core.decoding import decode
from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.preferences.config import FitConfig
from robot_learning.learning.preferences.fitting import Fit, fit_reward
from robot_learning.learning.preferences.joining import Ranked, joined
from robot_learning.learning.preferences.learned_reward import save_reward
from robot_learning.learning.preferences.ranking_file import RankingFile
from robot_learning.learning.preferences.segments import load_segments
from robot_learning.learning.training.config import parse_overrides


def fit(arguments: argparse.Namespace) -> int:
    """Fit a reward, save it, and say how well it predicts the held-out rankings.

    Raises:
        RobotLearningError: an option, the segments or the rankings are wrong.
    """
    folders: list[Path] = [arguments.folder, *arguments.more]
    config = _config(arguments)
    segments, rankings = joined([_ranked(folder) for folder in folders])
    with progress_bar("fitting", "step") as show:
        found = fit_reward(segments, rankings, config, show)
    facts = {
        "config": config.to_plain(),
        "rankings": found.trained,
        "held_out": asdict(found.held_out),
    }
    path = save_reward(arguments.out or folders[0], found.reward, facts)
    _show(make_console(), found)
    ppo = ["robot-learning", "rl", "ppo", *environment_options(segments.scene)]
    print(f"reward: {path}; next: {shlex.join([*ppo, '--reward', str(path.parent)])}")
    return 0


def _config(arguments: argparse.Namespace) -> FitConfig:
    own = {"ties": arguments.ties, "seed": arguments.seed}
    given = parse_overrides(arguments.set)
    for name in own:
        if name in given:
            raise ConfigurationError(f"--set {name}: give --{name}")
    return decode({**FitConfig().to_plain(), **own, **given}, FitConfig)


def _ranked(folder: Path) -> Ranked:
    segments = load_segments(folder)
    return segments, RankingFile(folder, segments.names).rankings


def _show(console: Console, found: Fit) -> None:
    held_out = found.held_out
    table = make_table("validation", "", right=("",))
    table.add_row("rankings", f"{held_out.rankings} of {held_out.rankings + found.trained}")
    table.add_row("comparisons", str(held_out.comparisons))
    table.add_row("log-likelihood of the better one", _number(held_out.decided))
    table.add_row("the same, ties among them", _number(held_out.all))
    table.add_row("the better one has the larger return", _share(held_out.accuracy))
    console.print(table)
    print(
        f"log-likelihoods are means; guessing is -0.693. {amount(found.steps, 'step')} of the fit"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
