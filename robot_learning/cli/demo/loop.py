"""The whole loop: demonstrate, train, serve and correct in rounds, evaluate, show.

Demonstrations and rounds run over ROS nodes, in lockstep or in real time; the evaluation is on the
same scenes for every policy.
"""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.common.console import print_table
from robot_learning.cli.demo.film import film_command
from robot_learning.cli.demo.learner import BC, DART, Judged, Learnt
from robot_learning.cli.demo.nodes import recording_plan, rounds_plan, run_nodes
from robot_learning.cli.demo.screen import Screen
from robot_learning.cli.demo.settings import DemoSettings, prepare_folder
from robot_learning.core.amounts import amount
from robot_learning.core.child import Child
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.progress import ProgressLines


def run_loop(settings: DemoSettings, screen: Screen) -> int:
    """Run it; 0 when it came to its end and its datasets are sound.

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
    learnt = _train(settings, screen)
    rounds, episodes = settings.rounds, settings.episodes_per_round
    with screen.phase(
        f"serve {BC} over ROS: {amount(rounds, 'round')} of {amount(episodes, 'episode')}, the "
        "scripted operator takes over, and it is trained anew after each"
    ):
        plan = rounds_plan(settings, learnt[0].checkpoint)
        with _told(settings.dagger_run, screen):
            run_nodes(plan, logs / "dagger.log", screen)
    return _conclude(settings, learnt, screen)


def _told(run: Path, screen: Screen) -> ProgressLines:
    """Tells how far the rounds are, also while one trains and the nodes have nothing to say."""
    from robot_learning.learning.interactive.round_table import run_standing

    return ProgressLines("rounds", ask=lambda: run_standing(run), write=screen.live)


def _train(settings: DemoSettings, screen: Screen) -> list[Learnt]:
    from robot_learning.cli.demo.policies import train_policies

    title = f"train {BC} and {DART} side by side: {amount(settings.steps, 'step')} each"
    # The training has a progress bar of its own.
    with screen.phase(title, draws=False):
        learnt = train_policies(settings)
        for each in learnt:
            found = f"{amount(each.episodes, 'episode')}, {amount(each.labels, 'labelled row')}"
            screen.say(f"{each.name}: {found}")
    return learnt


def _conclude(settings: DemoSettings, learnt: list[Learnt], screen: Screen) -> int:
    from robot_learning.cli.demo.report import result_table, verdicts, write_json
    from robot_learning.learning.interactive.round_table import rounds_table
    from robot_learning.learning.interactive.rounds import load_run

    title = (
        f"{settings.robot}, {settings.task}: {amount(settings.evaluations, 'episode')} each, same "
        "scenes"
    )
    run = load_run(settings.dagger_run)
    # Drawing takes as long as the evaluation and needs nothing of it.
    with Child(film_command(settings.dataset, settings.dagger_run, settings.film)) as film:
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
            _plot(judged, settings, title, screen)
            screen.say(f"no film: {film.last_line}" if film.wait() else f"film: {film.last_line}")
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
    from robot_learning.cli.demo.policies import compared, policies_of_rounds

    with screen.phase(
        f"evaluate: {amount(settings.evaluations, 'episode')}, the same for every policy"
    ):
        policies = (*learnt, *policies_of_rounds(settings))
        return compared([_judge(each, settings, screen) for each in policies])


def _judge(learnt: Learnt, settings: DemoSettings, screen: Screen) -> Judged:
    from robot_learning.cli.demo.policies import judge

    screen.live(f"{learnt.name}: evaluating")
    judged = judge(learnt, settings)
    screen.say(f"{learnt.name}: success {judged.evaluation.success}")
    return judged


def _plot(judged: list[Judged], settings: DemoSettings, title: str, screen: Screen) -> None:
    """Draw it, or say why not: the figures do not depend on it, whatever goes wrong."""
    from robot_learning.cli.demo.plot import save_plot
    from robot_learning.learning.interactive.rounds import load_run

    path = settings.folder / "result.png"
    try:
        save_plot(judged, load_run(settings.dagger_run), path, title)
        screen.say(f"plot: {path}")
    except RobotLearningError as problem:
        screen.say(f"no plot: {problem}")
    except Exception as problem:
        screen.say(f"no plot: {problem!r}")


def _problems(path: Path, screen: Screen) -> list[str]:
    from robot_learning.episodes.store.folder import DatasetFolder
    from robot_learning.episodes.store.recovery import verify_dataset

    folder = DatasetFolder(path)
    problems = verify_dataset(folder)
    for problem in problems:
        screen.say(problem)
    if not problems:
        screen.say(f"{path}: {amount(len(folder.episode_names()), 'episode')}, everything is sound")
    return problems
