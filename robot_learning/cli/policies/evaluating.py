"""What `robot-learning evaluate` does: simulate, print the figures, write them, show episodes."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from robot_learning.cli.common.console import make_console, print_table, progress_bar
from robot_learning.cli.policies.evaluate_trials import Evaluated, Trial, trial_of
from robot_learning.cli.policies.success_threshold import SuccessThreshold
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.files import write_atomically
from robot_learning.learning.evaluation.evaluation import Comparison
from robot_learning.learning.evaluation.outcomes import replayed
from robot_learning.learning.evaluation.video import (
    check_format,
    check_pictures,
    chosen,
    summary,
    write_video,
)
from robot_learning.policies.checkpoint import Checkpoint, load_checkpoint
from robot_learning.policies.errors import memory_errors_as
from robot_learning.serving.devices import choose_device


def evaluate(arguments: argparse.Namespace) -> int:
    """Evaluate; 1 when the success threshold is missed."""
    if arguments.video:
        check_format(arguments.video.resolve())
    device = choose_device(arguments.device)
    first = load_checkpoint(arguments.checkpoint, device)
    trial = trial_of(arguments, first)
    names = [arguments.checkpoint]
    others = []
    if arguments.compare:
        names.append(arguments.compare)
        others.append(load_checkpoint(arguments.compare, device))
    _prepare_files(arguments)
    _check_showing(arguments, trial, first.policy.spec.rate_hz)
    evaluations: list[Evaluated] = []
    with memory_errors_as(ConfigurationError(trial.out_of_memory)):
        for name, checkpoint in zip(names, (first, *others), strict=True):
            title = f"simulating {name}"
            evaluations.append(_evaluated(trial, checkpoint, arguments.episodes, title))
    comparison = trial.compared(evaluations[0], evaluations[1]) if others else None
    named = dict(zip(map(str, names), evaluations, strict=True))
    _print(named, comparison)
    if arguments.json:
        _write_json(arguments.json, named, comparison)
    if arguments.video:
        _write_video(arguments, trial, evaluations[0], first.policy.spec.rate_hz)
    if arguments.render:
        _show(arguments, trial, evaluations[0], first.policy.spec.rate_hz)
    return _exit_code(arguments, evaluations[0])


def _check_showing(arguments: argparse.Namespace, trial: Trial, rate_hz: float) -> None:
    """Refuse a video or a window that cannot be made here, before anything is simulated."""
    if arguments.video:
        check_pictures(trial.pictured(rate_hz)[0])
    if arguments.render:
        with trial.windowed(rate_hz) as (env, _):
            list(replayed(env, 0, []))


def _evaluated(trial: Trial, checkpoint: Checkpoint, episodes: int, title: str) -> Evaluated:
    over = 0
    with progress_bar(title, "episode") as show:

        def count(done: int, total: int) -> None:
            nonlocal over
            over = done
            show(done, total)

        try:
            return trial.evaluated(checkpoint, count)
        except KeyboardInterrupt:
            text = f"{title}: stopped after {over} of {amount(episodes, 'episode')}"
            raise KeyboardInterrupt(f"{text}; nothing was written") from None


def _write_video(
    arguments: argparse.Namespace, trial: Trial, evaluation: Evaluated, rate_hz: float
) -> None:
    shown = chosen(evaluation.takes, arguments.video_episodes)
    path = arguments.video.resolve()
    env, rate_hz = trial.pictured(rate_hz)
    with progress_bar(f"recording {arguments.video}", "step") as progress:
        write_video(
            env, shown, path, rate_hz, success_return=trial.success_return, progress=progress
        )
    print(f"video: {arguments.video}: {summary(shown, evaluation.takes)}")


def _show(
    arguments: argparse.Namespace, trial: Trial, evaluation: Evaluated, rate_hz: float
) -> None:
    shown = chosen(evaluation.takes, arguments.video_episodes)
    with trial.windowed(rate_hz) as (env, show):
        print(f"window: {summary(shown, evaluation.takes)}")
        for take in shown:
            for steps, _, _ in replayed(env, take.seed, take.actions):
                show(take, steps)


def _prepare_files(arguments: argparse.Namespace) -> None:
    """Refuse places where no file can be written, and make the folders of the others."""
    for option, path in (("--json", arguments.json), ("--video", arguments.video)):
        if path is None:
            continue
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{option} {path}: is there already, and is no file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ConfigurationError(f"{option} {path}: cannot be written: {problem}") from problem


def _print(evaluations: dict[str, Evaluated], comparison: Comparison | None) -> None:
    first = next(iter(evaluations.values()))
    table = Table(title=f"{first.title}: {amount(len(first.takes), 'episode')}")
    table.add_column("figure", no_wrap=True)
    rows = [evaluation.figures for evaluation in evaluations.values()]
    for name in evaluations:
        table.add_column(name, overflow="fold")
    shares = [str(evaluation.success or "unknown") for evaluation in evaluations.values()]
    table.add_row("success [95 % Wilson]", *shares)
    for key in rows[0]:
        if not key.startswith("success"):
            name = f"{key} ({first.reward} reward)" if key == "mean_return" else key
            table.add_row(name, *(f"{row[key]:.4g}" for row in rows))
    console = make_console()
    print_table(console, table)
    if comparison:
        console.print(
            f"paired: both {comparison.both}, only the first {comparison.only_first}, only the "
            f"second {comparison.only_second}, neither {comparison.neither}; exact McNemar "
            f"p = {comparison.p_value:.3g}"
        )


def _write_json(
    path: Path, evaluations: dict[str, Evaluated], comparison: Comparison | None
) -> None:
    document = {name: evaluation.to_plain() for name, evaluation in evaluations.items()}
    plain = {"evaluations": document, "comparison": asdict(comparison) if comparison else None}
    try:
        # What a link leads to is replaced, never the link: it may stand in /dev.
        write_atomically(path.resolve(), (json.dumps(plain, indent=2) + "\n").encode())
    except OSError as problem:
        raise ConfigurationError(f"--json {path}: cannot be written: {problem}") from problem


def _exit_code(arguments: argparse.Namespace, evaluation: Evaluated) -> int:
    if arguments.min_success is None:
        return 0
    if evaluation.success is None:
        raise ConfigurationError(
            "--min-success: this environment does not say what succeeds; give --success-return"
        )
    threshold = SuccessThreshold(arguments.min_success, arguments.lower_bound)
    print(threshold.verdict(evaluation.success))
    return 0 if threshold.is_passed(evaluation.success) else 1
