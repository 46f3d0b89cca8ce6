"""The whole loop as one program: demonstrate, train, serve and correct in rounds, evaluate, show.

Demonstrations and rounds run over ROS nodes, by the very plans of `robot-learning record` and
`dagger`, in lockstep or in real time. Every policy is evaluated on the same scenes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.status import Status

from robot_learning.bringup.groups import GROUPS
from robot_learning.bringup.plan import LaunchPlan, shipped_parameters
from robot_learning.cli.common.console import make_console, print_table
from robot_learning.cli.demo.drawing import save_plot, save_rounds_video
from robot_learning.cli.demo.evaluations import BackgroundEvaluations
from robot_learning.cli.demo.result import (
    PolicyResult,
    compared,
    result_table,
    verdicts,
    write_json,
)
from robot_learning.cli.demo.settings import DemoSettings, prepare_folder
from robot_learning.cli.nodes.node_output import NodeOutput
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.core.amounts import amount
from robot_learning.core.child import Child
from robot_learning.core.ensemble_folders import best_checkpoint
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.progress import ProgressLines
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.evaluation.evaluation import EvaluationConfig
from robot_learning.learning.interactive.round_folders import trained_checkpoint
from robot_learning.learning.interactive.round_jobs import TrainJob, worker_command
from robot_learning.learning.interactive.round_settings import RoundSettings
from robot_learning.learning.interactive.round_table import rounds_table, run_standing
from robot_learning.learning.interactive.round_worker import train_round
from robot_learning.learning.interactive.rounds import episode_figures, load_run
from robot_learning.learning.training.config import parse_overrides

BC, DART = "BC", "DART"
OPERATOR = "demo_operator"
_ENVS, _EXPERT_EVERY = 50, 10


class Screen:
    """Prints a heading for each phase, lines that stay, and a live line."""

    def __init__(self, console: Console | None = None) -> None:
        """Print to `console`; None for stdout."""
        self.console = console or make_console()
        self._begin_s = time.monotonic()
        self._status: Status | None = None

    @property
    def elapsed_s(self) -> float:
        """Time since the start, s."""
        return time.monotonic() - self._begin_s

    @contextmanager
    def phase(self, title: str, *, draws: bool = True) -> Iterator[None]:
        """Announce a phase; without `draws` the body has the terminal for its own progress bar."""
        self.console.print(f"[{self.elapsed_s:4.0f} s] {title}", style="bold", soft_wrap=True)
        if not draws:
            yield
            return
        with self.console.status("starting") as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def live(self, text: str) -> None:
        """Show what happens now: in place on a terminal, else as a line of its own."""
        if self._status is not None and self.console.is_terminal:
            self._status.update(text)
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.console.print(f"         {text}", soft_wrap=True)


def run_loop(settings: DemoSettings, screen: Screen) -> int:
    """Run the loop; 0 when it came to its end and its datasets are sound.

    Raises:
        KeyboardInterrupt: it was interrupted; nothing runs any more.
        RobotLearningError: a phase failed; what was made so far stays in the folder.
    """
    prepare_folder(settings.folder)
    logs = settings.folder / "logs"
    count, task = settings.demonstrations, settings.task
    with screen.phase(f"record: {amount(count, 'demonstration')} of '{task}' over ROS"):
        run_nodes(recording_plan(settings, dart=False), logs / "record.log", screen)
    noise = f"{settings.dart_sigma:g} rad on the arm, labels clean"
    with screen.phase(f"record: {count} more of the same scenes with DART noise ({noise})"):
        run_nodes(recording_plan(settings, dart=True), logs / "record_dart.log", screen)
    title = f"train {BC} and {DART} side by side: {amount(settings.steps, 'step')} each"
    with screen.phase(title, draws=False):
        checkpoints = train(settings)
    rounds, episodes = settings.rounds, settings.episodes_per_round
    with BackgroundEvaluations(evaluation_config(settings)) as evaluations:
        if not settings.real_time:
            # The nodes are one process in lockstep, and their speed changes no result.
            for checkpoint in checkpoints.values():
                evaluations.begin(checkpoint)
        with (
            screen.phase(
                f"serve {BC} over ROS: {amount(rounds, 'round')} of {amount(episodes, 'episode')}, "
                "the scripted operator takes over, and it is retrained after each"
            ),
            # Also while one trains and the nodes have nothing to say.
            ProgressLines(
                "rounds", ask=lambda: run_standing(settings.dagger_run), write=screen.live
            ),
        ):
            run_nodes(rounds_plan(settings, checkpoints[BC]), logs / "dagger.log", screen)
        with screen.phase(
            f"evaluate: {amount(settings.evaluations, 'episode')}, the same for every policy"
        ):
            results = evaluate_all(settings, checkpoints, evaluations, screen)
    return conclude(settings, results, screen)


def recording_plan(settings: DemoSettings, *, dart: bool) -> LaunchPlan:
    """The nodes that record the scripted operator, with or without noise on its commands."""
    given = {
        "task": settings.task,
        "robot": settings.robot,
        "dataset": str(settings.dart_dataset if dart else settings.dataset),
        "episodes": str(settings.demonstrations),
    }
    if dart:
        given |= {"dart": "true", "dart_sigma": str(settings.dart_sigma)}
    return _plan("teleop_record", settings, given)


def rounds_plan(settings: DemoSettings, checkpoint: Path) -> LaunchPlan:
    """The nodes of the rounds: policy, scripted operator and training after each."""
    given = {
        "dataset": str(settings.dataset),
        "out": str(settings.dagger_run),
        "checkpoint": str(checkpoint),
        "rounds": str(settings.rounds),
        "episodes_per_round": str(settings.episodes_per_round),
        "policy": "deterministic",
        "settings": json.dumps(parse_overrides(settings.training)),
        "step_in_s": str(settings.step_in_s),
        # Which backend is the fastest is measured for seconds; this network is small.
        "backend": "eager",
        # Stated, not measured, so that every run has the same results.
        "inference_ticks": "1",
    }
    return _plan("dagger", settings, given)


def _plan(group: str, settings: DemoSettings, given: dict[str, str]) -> LaunchPlan:
    shared = {
        "device": "scripted",
        "lockstep": "false" if settings.real_time else "true",
        "seed": str(settings.seed),
        "cameras": "none",
        "params_file": str(shipped_parameters(OPERATOR)),
        "episode_timeout_s": str(settings.episode_timeout_s),
    }
    plan = GROUPS[group].resolve({**shared, **given})
    # The terminal belongs to the demonstration's own live line.
    return replace(plan, nodes=tuple(replace(node, owns_terminal=False) for node in plan.nodes))


def run_nodes(plan: LaunchPlan, log: Path, screen: Screen) -> None:
    """Run nodes until the leading one ends.

    Args:
        plan: nodes to run.
        log: file that takes everything that the nodes print.
        screen: shows what the leading node says.

    Raises:
        KeyboardInterrupt: it was interrupted; every node has ended.
        RobotLearningError: a node failed; the text has its last lines.
        DependencyError: ROS 2 is not installed.
    """
    with NodeOutput(log, screen.live) as output:
        supervisor = Supervisor(plan, output)
        code = supervisor.run()
        if supervisor.interrupted:
            raise KeyboardInterrupt
        if code:
            said = " | ".join(list(output.last_lines)[-3:])
            raise RobotLearningError(f"the nodes ended with exit code {code}; see {log}: {said}")
        if output.speed:
            screen.say(output.speed)


def train(settings: DemoSettings) -> dict[str, Path]:
    """Train BC here, with a progress bar, and DART at the same time in a process of its own.

    Returns:
        Folders of the best checkpoints, by the names of the policies.

    Raises:
        RobotLearningError: there is nothing to train on, or a training failed.
    """
    training = RoundSettings(settings=parse_overrides(settings.training))
    folders = {BC: settings.folder / "policy_bc", DART: settings.folder / "policy_dart"}
    datasets = {BC: settings.dataset, DART: settings.dart_dataset}
    jobs = {name: TrainJob(str(datasets[name]), str(folders[name]), training) for name in folders}
    with Child(worker_command(jobs[DART])) as child:
        train_round(jobs[BC])
        if child.wait():
            raise RobotLearningError(f"the training of {DART} failed: {child.last_line}")
    return {name: best_checkpoint(folder) for name, folder in folders.items()}


def evaluation_config(settings: DemoSettings) -> EvaluationConfig:
    """How every policy of the demonstration is evaluated."""
    return EvaluationConfig(
        task=settings.task,
        robot=settings.robot,
        episodes=settings.evaluations,
        seed=settings.evaluation_seed,
        envs=_ENVS,
        expert_every=_EXPERT_EVERY,
        # On its own states only: where experts choose freely, as at the post, one that drives
        # may choose otherwise than the demonstrator did, and that is no error.
        shadow_episodes=0,
    )


def evaluate_all(
    settings: DemoSettings,
    checkpoints: dict[str, Path],
    evaluations: BackgroundEvaluations,
    screen: Screen,
) -> list[PolicyResult]:
    """Evaluate the policies of the demonstrations and of the rounds on the same scenes.

    Args:
        settings: sizes and folders of the demonstration.
        checkpoints: folders of the first policies, by their names.
        evaluations: does it, and has done some already.
        screen: shows the progress.

    Raises:
        RobotLearningError: a checkpoint cannot be read, or does not fit.
    """
    every = Dataset(settings.dataset)
    # The rounds went into the same dataset since.
    datasets = {BC: every.select(rounds=[0]), DART: Dataset(settings.dart_dataset)}
    for round_ in load_run(settings.dagger_run).rounds:
        name = f"HG-DAgger {round_.number}"
        checkpoints = checkpoints | {name: trained_checkpoint(settings.dagger_run, round_.number)}
        datasets[name] = every.select(rounds=range(round_.number + 1))
    results = []
    for name, dataset in datasets.items():
        screen.live(f"{name}: evaluating")
        figures = [episode_figures(dataset.episode(each.name)) for each in dataset.episodes]
        labels = sum(each.labels for each in figures)
        evaluation = evaluations.result(checkpoints[name])
        screen.say(
            f"{name}: {amount(len(dataset), 'episode')}, {amount(labels, 'labelled row')}, success "
            f"{evaluation.success}"
        )
        expert_s = labels / dataset.info.rate_hz
        results.append(
            PolicyResult(name, checkpoints[name], len(dataset), labels, expert_s, evaluation)
        )
    return compared(results)


def conclude(settings: DemoSettings, results: Sequence[PolicyResult], screen: Screen) -> int:
    """Verify the datasets, draw and print; 1 when a dataset has problems.

    Args:
        settings: sizes and folders of the demonstration.
        results: evaluated policies, the first being the one to compare with.
        screen: shows the phases and the tables.
    """
    title = (
        f"{settings.robot}, {settings.task}: {amount(settings.evaluations, 'episode')} each, same "
        "scenes"
    )
    run, folder = load_run(settings.dagger_run), settings.folder
    # Before anything is drawn: whatever drawing comes to, the figures are there.
    write_json(folder / "result.json", results, run, screen.elapsed_s)
    with screen.phase("verify the datasets"):
        problems = [_problems(path, screen) for path in (settings.dataset, settings.dart_dataset)]
    with screen.phase("draw the plot and the video"):
        plot, video = folder / "result.png", folder / "rounds.mp4"
        _draw(screen, "plot", plot, lambda: save_plot(results, run, plot, title))
        _draw(
            screen, "video", video, lambda: save_rounds_video(Dataset(settings.dataset), run, video)
        )
    print_table(
        screen.console, rounds_table(run, "rounds over ROS: the operator corrects the policy")
    )
    print_table(screen.console, result_table(results, title))
    for line in verdicts(results, run):
        screen.console.print(f"- {line}", soft_wrap=True)
    screen.console.print(f"\n{screen.elapsed_s:.0f} s; everything is in {folder}", soft_wrap=True)
    return 1 if any(problems) else 0


def _draw(screen: Screen, what: str, path: Path, draw: Callable[[], object]) -> None:
    """Draw it, or say why not: the figures do not depend on it, whatever goes wrong."""
    try:
        draw()
        screen.say(f"{what}: {path}")
    except RobotLearningError as problem:
        screen.say(f"no {what}: {problem}")
    except Exception as problem:
        screen.say(f"no {what}: {problem!r}")


def _problems(path: Path, screen: Screen) -> list[str]:
    folder = DatasetFolder(path)
    problems = verify_dataset(folder)
    for problem in problems:
        screen.say(problem)
    if not problems:
        screen.say(f"{path}: {amount(len(folder.episode_names()), 'episode')}, everything is sound")
    return problems
