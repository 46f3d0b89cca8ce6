"""The parts of the loop that need torch: train, and at its end evaluate, verify and show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from robot_learning.cli.common.console import print_table
from robot_learning.cli.demo.film import save_rounds_film
from robot_learning.cli.demo.learner import Judged, Learnt
from robot_learning.cli.demo.plot import save_plot
from robot_learning.cli.demo.policies import compared, judge, policies_of_rounds, train_policies
from robot_learning.cli.demo.report import result_table, verdicts, write_json
from robot_learning.cli.demo.screen import Screen
from robot_learning.cli.demo.settings import DemoSettings
from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.interactive.round_table import rounds_table
from robot_learning.learning.interactive.rounds import load_run


def train(settings: DemoSettings, screen: Screen) -> list[Learnt]:
    """Train both policies and say from how much each has learnt."""
    learnt = train_policies(settings)
    for each in learnt:
        found = f"{amount(each.episodes, 'episode')}, {amount(each.labels, 'labelled row')}"
        screen.say(f"{each.name}: {found}")
    return learnt


def conclude(settings: DemoSettings, learnt: list[Learnt], screen: Screen) -> int:
    """Evaluate all policies, verify the datasets, draw and print; 1 when a dataset has problems.

    Args:
        settings: sizes and folders of the demonstration.
        learnt: policies that were trained from the demonstrations.
        screen: shows the phases and the tables.
    """
    title = (
        f"{settings.robot}, {settings.task}: {amount(settings.evaluations, 'episode')} each, same "
        "scenes"
    )
    run = load_run(settings.dagger_run)
    judged = _evaluate(settings, learnt, screen)
    # Before anything is drawn: whatever drawing comes to, the figures are there.
    write_json(settings.folder / "result.json", judged, run, screen.elapsed_s)
    with screen.phase("verify the datasets"):
        problems = [
            problem
            for path in (settings.dataset, settings.dart_dataset)
            for problem in _problems(path, screen)
        ]
    with screen.phase("draw the plot and the film"):
        _draw(screen, "plot", lambda: _plot(judged, settings, title))
        _draw(screen, "film", lambda: _film(settings))
    print_table(
        screen.console, rounds_table(run, "rounds over ROS: the operator corrects the policy")
    )
    print_table(screen.console, result_table(judged, title))
    for line in verdicts(judged, run):
        screen.console.print(f"- {line}", soft_wrap=True)
    screen.console.print(
        f"\n{screen.elapsed_s:.0f} s; everything is in {settings.folder}", soft_wrap=True
    )
    return 1 if problems else 0


def _evaluate(settings: DemoSettings, learnt: list[Learnt], screen: Screen) -> list[Judged]:
    with screen.phase(
        f"evaluate: {amount(settings.evaluations, 'episode')}, the same for every policy"
    ):
        policies = (*learnt, *policies_of_rounds(settings))
        return compared([_judge(each, settings, screen) for each in policies])


def _judge(learnt: Learnt, settings: DemoSettings, screen: Screen) -> Judged:
    screen.live(f"{learnt.name}: evaluating")
    judged = judge(learnt, settings)
    screen.say(f"{learnt.name}: success {judged.evaluation.success}")
    return judged


def _plot(judged: list[Judged], settings: DemoSettings, title: str) -> str:
    path = settings.folder / "result.png"
    save_plot(judged, load_run(settings.dagger_run), path, title)
    return str(path)


def _film(settings: DemoSettings) -> str:
    path = settings.folder / "rounds.mp4"
    frames = save_rounds_film(Dataset(settings.dataset), load_run(settings.dagger_run), path)
    return f"{path} ({amount(frames, 'frame')})"


def _draw(screen: Screen, what: str, make: Callable[[], str]) -> None:
    """Make it, or say why not: the figures do not depend on it, whatever goes wrong."""
    try:
        screen.say(f"{what}: {make()}")
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
