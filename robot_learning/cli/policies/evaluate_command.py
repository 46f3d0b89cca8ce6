"""`robot-learning evaluate`: how often a policy succeeds in simulation, as a figure or a gate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.common.console import make_console, print_table, progress_bar
from robot_learning.cli.policies.success_gate import Gate
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED

if TYPE_CHECKING:
    from robot_learning.cli.policies.evaluate_trials import Evaluated, Trial
    from robot_learning.learning.evaluation.evaluation import Comparison
    from robot_learning.policies.checkpoint import Checkpoint

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `evaluate`."""
    parser = subparsers.add_parser(
        "evaluate",
        description="Simulate a policy in many worlds at once and report how often it succeeds, "
        "with a 95 % interval. The exit code is 1 if --min-success is not reached.",
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a checkpoint or of a training run")
    parser.add_argument("--task", help="task to simulate (default: the one it was trained for)")
    parser.add_argument("--robot", help="robot to simulate (default: the one it was trained for)")
    parser.add_argument(
        "--env",
        metavar="ID",
        help="simulate the gymnasium environment with this id instead of a task; MODULE:ID if a "
        "module registers it (default: the environment it was trained in with --env)",
    )
    parser.add_argument(
        "--env-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the environment; may be repeated (default: the arguments of training)",
    )
    parser.add_argument(
        "--success-return",
        type=float,
        metavar="RETURN",
        help="return from which an episode of a gymnasium environment counts as a success",
    )
    parser.add_argument("--episodes", type=int, default=100, help="number of episodes")
    parser.add_argument(
        "--seed", type=int, default=FIRST_HELD_OUT_SEED, help="seed of the first episode"
    )
    parser.add_argument("--worlds", type=int, default=50, help="worlds that are simulated at once")
    parser.add_argument(
        "--executed-steps",
        type=int,
        default=0,
        help="steps of each action chunk that are executed; 0 means the policy's own setting "
        "(default: 0)",
    )
    parser.add_argument(
        "--ensemble", action="store_true", help="combine overlapping chunks by temporal ensembling"
    )
    parser.add_argument(
        "--no-expert", action="store_true", help="do not compare the policy with the expert"
    )
    parser.add_argument(
        "--compare", type=Path, help="another checkpoint to compare with, on the same seeds"
    )
    parser.add_argument(
        "--min-success",
        type=float,
        help="success rate, from 0 to 1, below which the exit code is 1",
    )
    parser.add_argument(
        "--lower-bound",
        action="store_true",
        help="compare --min-success with the lower end of the 95 %% interval",
    )
    parser.add_argument(
        "--device", default="cpu", help="where the network runs: auto, cpu, cuda or mps"
    )
    parser.add_argument("--json", type=Path, help="JSON file to write the results to")
    parser.add_argument(
        "--video",
        type=Path,
        help="MP4 file to write a video of some episodes to, failures first",
    )
    parser.add_argument(
        "--video-episodes", type=int, default=4, help="episodes in the video or in the window"
    )
    parser.add_argument("--render", action="store_true", help="show the same episodes in a window")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; 1 when the gate is missed."""
    from robot_learning.cli.policies.evaluate_trials import trial_of
    from robot_learning.policies.checkpoint import load_checkpoint
    from robot_learning.policies.errors import memory_errors_as
    from robot_learning.serving.devices import choose_device

    _check(arguments)
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
        _film(arguments, trial, evaluations[0], first.policy.spec.rate_hz)
    if arguments.render:
        _show(arguments, trial, evaluations[0], first.policy.spec.rate_hz)
    return _exit_code(arguments, evaluations[0])


def _check_showing(arguments: argparse.Namespace, trial: Trial, rate_hz: float) -> None:
    """Refuse a film or a window that cannot be made here, before anything is simulated."""
    from robot_learning.learning.evaluation.outcomes import replayed
    from robot_learning.learning.evaluation.video import check_pictures

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


def _film(
    arguments: argparse.Namespace, trial: Trial, evaluation: Evaluated, rate_hz: float
) -> None:
    from robot_learning.learning.evaluation.video import chosen, summary, write_video

    shown = chosen(evaluation.takes, arguments.video_episodes)
    path = arguments.video.resolve()
    env, rate_hz = trial.pictured(rate_hz)
    with progress_bar(f"filming {arguments.video}", "step") as progress:
        write_video(
            env, shown, path, rate_hz, success_return=trial.success_return, progress=progress
        )
    print(f"video: {arguments.video}: {summary(shown, evaluation.takes)}")


def _show(
    arguments: argparse.Namespace, trial: Trial, evaluation: Evaluated, rate_hz: float
) -> None:
    from robot_learning.learning.evaluation.outcomes import replayed
    from robot_learning.learning.evaluation.video import chosen, summary

    shown = chosen(evaluation.takes, arguments.video_episodes)
    with trial.windowed(rate_hz) as (env, show):
        print(f"window: {summary(shown, evaluation.takes)}")
        for take in shown:
            for steps, _, _ in replayed(env, take.seed, take.actions):
                show(take, steps)


def _check(arguments: argparse.Namespace) -> None:
    """What would otherwise show only after everything was simulated, or never."""
    if arguments.min_success is not None and not 0 <= arguments.min_success <= 1:
        raise ConfigurationError(f"--min-success {arguments.min_success}: a share from 0 to 1")
    if arguments.lower_bound and arguments.min_success is None:
        raise ConfigurationError("--lower-bound: give --min-success too, what it is held against")
    if arguments.video_episodes < 1:
        raise ConfigurationError(f"--video-episodes {arguments.video_episodes}: at least 1")
    if arguments.video:
        from robot_learning.learning.evaluation.video import check_format

        check_format(arguments.video.resolve())


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
    from rich.table import Table

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
    from dataclasses import asdict

    from robot_learning.core.files import write_atomically

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
    gate = Gate(arguments.min_success, arguments.lower_bound)
    print(gate.verdict(evaluation.success))
    return 0 if gate.is_passed(evaluation.success) else 1
