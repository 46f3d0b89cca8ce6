"""The check that the whole loop works: a round of DAgger over the real nodes, in lockstep."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.dataset_metadata import dataset_metadata
from robot_learning.cli.ci.settings import RoundCheck
from robot_learning.cli.nodes.node_output import NodeOutput
from robot_learning.cli.nodes.supervisor import Supervisor
from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.learning.interactive.round_folders import checkpoint_digest, trained_checkpoint
from robot_learning.learning.interactive.rounds import Round, load_run
from robot_learning.learning.runs.run import Phase


class RoundFailedError(RobotLearningError):
    """A round did not come to its end, or what it left is not sound."""


def run_round(check: RoundCheck) -> str:
    """Serve a policy, let the scripted operator correct it, retrain it, and reload it.

    Everything happens on a copy of the dataset in a temporary folder.

    Returns:
        What the round came to.

    Raises:
        RoundFailedError: it failed; the text has the last lines that the nodes have said.
        ConfigurationError: there is no such dataset or checkpoint.
        DependencyError: ROS 2 is not installed.
    """
    dataset_metadata(str(check.dataset))
    with tempfile.TemporaryDirectory(prefix="robot-learning-ci-") as name:
        place = Path(name)
        copied, run = place / "dataset", place / "run"
        shutil.copytree(check.dataset, copied)
        plan = DAGGER.resolve(_arguments(check, copied, run))
        with NodeOutput(place / "nodes.log", lambda _text: None) as output:
            supervisor = Supervisor(plan, output)
            code = supervisor.run()
            if supervisor.interrupted:
                raise KeyboardInterrupt
            if code:
                said = "\n".join(output.last_lines)
                raise RoundFailedError(f"the nodes ended with exit code {code}:\n{said}")
            return _conclusion(check, copied, run, output.speed)


def _arguments(check: RoundCheck, dataset: Path, run: Path) -> dict[str, str]:
    settings = {
        "steps": check.steps,
        "data": {"validation_share": 0},
        "validation": {"rollout_episodes": 0, "every_steps": check.steps},
        "compute": {"threads": 1, "device": "cpu"},
    }
    return {
        "dataset": str(dataset),
        "out": str(run),
        "checkpoint": str(check.checkpoint) if check.checkpoint else "",
        "rounds": "1",
        "episodes_per_round": str(check.episodes),
        "seed": str(check.seed),
        "device": "scripted",
        "lockstep": "true",
        "inference_ticks": "1",
        "settings": json.dumps(settings),
    }


def _conclusion(check: RoundCheck, dataset: Path, run: Path, speed: str) -> str:
    found = load_run(run)
    last: Round = found.current
    if last.phase is not Phase.DONE or len(last.counted) != check.episodes:
        text = (
            f"{len(last.counted)} of {amount(check.episodes, 'episode')}, phase {last.phase.value}"
        )
        raise RoundFailedError(f"the round is incomplete: {text}")
    problems = verify_dataset(DatasetFolder(dataset))
    if problems:
        raise RoundFailedError("\n".join(problems))
    count = len(last.counted)
    digest = checkpoint_digest(trained_checkpoint(run, last.number))
    return (
        f"a round of {amount(count, 'episode')}, {last.successes} succeeded, "
        f"{amount(last.labels, 'label')}, trained to {digest[:12]}, the dataset is sound\n{speed}"
    )
