"""The whole loop: demonstrate, train, serve and correct in rounds, evaluate, show.

Demonstrations and rounds run over ROS nodes, in lockstep or in real time; the evaluation is on the
same scenes for every policy.
"""

from __future__ import annotations

from pathlib import Path

from robot_learning.cli.demo.nodes import recording_plan, rounds_plan, run_nodes
from robot_learning.cli.demo.screen import Screen
from robot_learning.cli.demo.settings import BC, DART, DemoSettings, prepare_folder
from robot_learning.core.amounts import amount
from robot_learning.core.progress import ProgressLines
from robot_learning.learning.interactive.round_table import run_standing


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
    title = f"train {BC} and {DART} side by side: {amount(settings.steps, 'step')} each"
    # The training has a progress bar of its own.
    with screen.phase(title, draws=False):
        # What trains takes seconds to load.
        from robot_learning.cli.demo.study import conclude, train

        learnt = train(settings, screen)
    rounds, episodes = settings.rounds, settings.episodes_per_round
    with screen.phase(
        f"serve {BC} over ROS: {amount(rounds, 'round')} of {amount(episodes, 'episode')}, the "
        "scripted operator takes over, and it is trained anew after each"
    ):
        plan = rounds_plan(settings, learnt[0].checkpoint)
        with _told(settings.dagger_run, screen):
            run_nodes(plan, logs / "dagger.log", screen)
    return conclude(settings, learnt, screen)


def _told(run: Path, screen: Screen) -> ProgressLines:
    """Tells how far the rounds are, also while one trains and the nodes have nothing to say."""
    return ProgressLines("rounds", ask=lambda: run_standing(run), write=screen.live)
