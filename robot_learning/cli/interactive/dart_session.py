"""Demonstrations of a person or the scripted operator, as a round of DART needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robot_learning.bringup.teleop_record import TELEOP_RECORD
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.control.noise import load_covariance
from robot_learning.core.amounts import amount
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.store.folder import INFO_NAME, DatasetFolder
from robot_learning.learning.interactive.dart_rounds import next_seed
from robot_learning.learning.interactive.dart_run import DartRun, DartSettings
from robot_learning.learning.training.errors import RunError

# The only ones that say by themselves whether an episode succeeded; without that none counts.
_JUDGING = ("keyboard", "scripted")


def collect_from_operator(run: DartRun, missing: int, psi: Path) -> None:
    """Start the nodes of `robot-learning record`, with the noise of `psi` on the real commands.

    Args:
        run: run whose current round lacks episodes.
        missing: number of successful episodes to record.
        psi: file with the covariance of the noise, `.npz`.

    Raises:
        RunError: the session ended before it had saved so many episodes.
        DependencyError: ROS 2 is not installed.
    """
    settings = run.settings
    before = _saved(settings)
    plan = TELEOP_RECORD.resolve(session_arguments(settings, missing, psi, before))
    code = Supervisor(plan).run()
    saved = _saved(settings) - before
    if code or saved < missing:
        raise RunError(
            f"round {run.current.number}: the recording session ended after {saved} of "
            f"{amount(missing, 'episode')} (exit code {code}); continue with --resume"
        )


def session_arguments(
    settings: DartSettings, missing: int, psi: Path, before: int
) -> dict[str, str]:
    """The launch arguments of the session; those of the user come last.

    Args:
        settings: settings of the run.
        missing: number of successful episodes to record.
        psi: file with the covariance of the noise, `.npz`.
        before: number of episodes in the dataset; seeds the noise, so that no session repeats that
            of another.
    """
    given = {
        "robot": settings.robot,
        "task": settings.task,
        "device": settings.device,
        "dataset": settings.dataset,
        "resume": "true",
        "episodes": str(missing),
        "seed": str(next_seed(settings)),
    }
    if settings.device not in _JUDGING:
        given["panel"] = "keyboard"
    profile = load_profile(settings.robot)
    if np.any(load_covariance(psi, profile.joint_names)):
        given |= {
            "dart": "true",
            "dart_covariance": str(psi.resolve()),
            "dart_seed": str(before),
        }
    return {**given, **settings.launch}


def _saved(settings: DartSettings) -> int:
    path = Path(settings.dataset)
    return len(DatasetFolder(path).episode_names()) if (path / INFO_NAME).exists() else 0
