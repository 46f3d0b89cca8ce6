"""`robot-learning evaluate`: how often a policy succeeds in simulation, as a figure or a gate."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from robot_learning.cli.dataset.console import progress_bar
from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.core.errors import ConfigurationError

if TYPE_CHECKING:
    from robot_learning.learning.evaluation import Comparison, Evaluation, EvaluationConfig
    from robot_learning.learning.intervals import Share
    from robot_learning.policies.checkpoint import Checkpoint

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add `evaluate`."""
    parser = subparsers.add_parser(
        "evaluate",
        help="simulate a policy and count how often it succeeds",
        description="Simulate a policy in many worlds at once and report how often it succeeds, "
        "with a 95 % interval. The exit code is 1 if --min-success is not reached.",
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a checkpoint or of a training run")
    parser.add_argument("--task", help="task to simulate (default: the one it was trained for)")
    parser.add_argument("--robot", help="robot to simulate (default: the one it was trained for)")
    parser.add_argument("--episodes", type=int, default=100, help="number of episodes")
    parser.add_argument("--seed", type=int, default=100_000, help="seed of the first episode")
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
        "--video", type=Path, help="MP4 file to write a video of the first episodes to"
    )
    parser.add_argument("--video-episodes", type=int, default=4, help="episodes in the video")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; 1 when the gate is missed."""
    from robot_learning.learning.evaluation import compare
    from robot_learning.policies.errors import memory_errors_as
    from robot_learning.serving.devices import choose_device

    _check(arguments)
    device = choose_device(arguments.device)
    first = load_run_or_checkpoint(arguments.checkpoint, device)
    config = _config(arguments, first)
    names = [arguments.checkpoint]
    others = []
    if arguments.compare:
        names.append(arguments.compare)
        others.append(load_run_or_checkpoint(arguments.compare, device))
    _prepare_files(arguments)
    out_of_memory = ConfigurationError(
        f"out of memory with {config.worlds} worlds at once and {config.episodes} episodes: "
        "fewer may fit (--worlds, --episodes)"
    )
    evaluations: list[Evaluation] = []
    with memory_errors_as(out_of_memory):
        for name, checkpoint in zip(names, (first, *others), strict=True):
            evaluations.append(_evaluated(checkpoint, config, f"simulating {name}"))
    comparison = compare(evaluations[0], evaluations[1]) if others else None
    named = dict(zip(map(str, names), evaluations, strict=True))
    _print(named, comparison)
    if arguments.json:
        _write_json(arguments.json, named, comparison)
    if arguments.video:
        from robot_learning.learning.video import write_video

        write_video(evaluations[0], arguments.video.resolve(), arguments.video_episodes)
        print(f"video: {arguments.video}")
    return _exit_code(arguments, evaluations[0])


def _evaluated(checkpoint: Checkpoint, config: EvaluationConfig, title: str) -> Evaluation:
    from robot_learning.learning.evaluation import evaluate

    over = 0
    with progress_bar(title, "episode") as show:

        def count(done: int, total: int) -> None:
            nonlocal over
            over = done
            show(done, total)

        try:
            return evaluate(checkpoint.policy, config, count)
        except KeyboardInterrupt:
            text = f"{title}: stopped after {over} of {config.episodes} episodes"
            raise KeyboardInterrupt(f"{text}; nothing was written") from None


def load_run_or_checkpoint(path: Path, device: str = "cpu") -> Checkpoint:
    """The checkpoint in a folder, or the best one of the run in it.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    from robot_learning.policies.checkpoint import load_checkpoint

    return load_checkpoint(best_checkpoint(path), device)


def _check(arguments: argparse.Namespace) -> None:
    """What would otherwise show only after everything was simulated, or never."""
    if arguments.min_success is not None and not 0 <= arguments.min_success <= 1:
        raise ConfigurationError(f"--min-success {arguments.min_success}: a share from 0 to 1")
    if arguments.lower_bound and arguments.min_success is None:
        raise ConfigurationError("--lower-bound: give --min-success too, what it is held against")
    if arguments.video_episodes < 1:
        raise ConfigurationError(f"--video-episodes {arguments.video_episodes}: at least 1")
    if arguments.video:
        from robot_learning.learning.video import check_format

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


def _config(arguments: argparse.Namespace, checkpoint: Checkpoint) -> EvaluationConfig:
    from robot_learning.learning.evaluation import EvaluationConfig
    from robot_learning.learning.execution import ExecutionConfig

    task = arguments.task or checkpoint.details.task
    robot = arguments.robot or checkpoint.details.robot
    if not task or not robot:
        raise ConfigurationError("the checkpoint names no task and robot; give --task and --robot")
    return EvaluationConfig(
        task=task,
        robot=robot,
        episodes=arguments.episodes,
        seed=arguments.seed,
        worlds=arguments.worlds,
        execution=ExecutionConfig(arguments.executed_steps, arguments.ensemble),
        ask_expert=not arguments.no_expert,
    )


def _print(evaluations: dict[str, Evaluation], comparison: Comparison | None) -> None:
    from rich.console import Console
    from rich.table import Table

    config = next(iter(evaluations.values())).config
    table = Table(title=f"{config.task}, {config.robot}: {amount(config.episodes, 'episode')}")
    table.add_column("figure")
    rows = [evaluation.figures for evaluation in evaluations.values()]
    for name in evaluations:
        table.add_column(name, overflow="fold")
    shares = [str(evaluation.success) for evaluation in evaluations.values()]
    table.add_row("success [95 % Wilson]", *shares)
    for key in rows[0]:
        if not key.startswith("success"):
            table.add_row(key, *(f"{row[key]:.4g}" for row in rows))
    console = Console()
    console.print(table)
    if comparison:
        console.print(
            f"paired: both {comparison.both}, only the first {comparison.only_first}, only the "
            f"second {comparison.only_second}, neither {comparison.neither}; exact McNemar "
            f"p = {comparison.p_value:.3g}"
        )


def _write_json(
    path: Path, evaluations: dict[str, Evaluation], comparison: Comparison | None
) -> None:
    from dataclasses import asdict

    from robot_learning.episodes.folder import write_atomically

    document = {name: evaluation.to_plain() for name, evaluation in evaluations.items()}
    plain = {"evaluations": document, "comparison": asdict(comparison) if comparison else None}
    try:
        # What a link leads to is replaced, never the link: it may stand in /dev.
        write_atomically(path.resolve(), (json.dumps(plain, indent=2) + "\n").encode())
    except OSError as problem:
        raise ConfigurationError(f"--json {path}: cannot be written: {problem}") from problem


@dataclass(frozen=True, slots=True)
class Gate:
    """The success that is asked for: of the share, or of the lower end of its interval."""

    min_success: float
    lower_bound: bool = False

    def is_passed(self, success: Share) -> bool:
        """Whether it is reached."""
        return self._found(success) >= self.min_success

    def verdict(self, success: Share) -> str:
        """The same for people."""
        which = "the lower end of its interval" if self.lower_bound else "success"
        verdict = "passed" if self.is_passed(success) else "missed"
        found = self._found(success)
        return f"gate {verdict}: {which} is {found:.3f}; {self.min_success:.3f} is required"

    def _found(self, success: Share) -> float:
        return success.low if self.lower_bound else success.share


def _exit_code(arguments: argparse.Namespace, evaluation: Evaluation) -> int:
    if arguments.min_success is None:
        return 0
    gate = Gate(arguments.min_success, arguments.lower_bound)
    print(gate.verdict(evaluation.success))
    return 0 if gate.is_passed(evaluation.success) else 1
