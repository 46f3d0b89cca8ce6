"""Does one job of a round; the process that `round_jobs.worker_command` starts.

The last line that it prints is the result. What a job needs is imported by the job: PyTorch takes
seconds, and relabelling does without.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from robot_learning.core.amounts import amount
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.dataset.row_choice import RowChoice
from robot_learning.learning.interactive.round_jobs import (
    GateJob,
    Job,
    RelabelJob,
    TrainJob,
    read_job,
)

EXIT_FAILED, EXIT_INTERRUPTED = 2, 130


def train_round(job: TrainJob) -> str:
    """Train a policy, or resume a training that was killed; returns the result in one line."""
    folder, dataset = Path(job.folder), Dataset(job.dataset)
    from robot_learning.learning.evaluation.simulation import rollout_for
    from robot_learning.learning.training.run_folder import read_config
    from robot_learning.learning.training.trainer import train
    from robot_learning.learning.training.training_state import STATE_NAME

    resume = (folder / STATE_NAME).is_file()
    config = job.config(read_config(folder) if resume else None)
    result = train(
        dataset,
        config,
        folder,
        resume=resume,
        rollout=rollout_for(dataset, config),
        show_progress=True,
    )
    return result.summary


def find_gate(job: GateJob) -> str:
    """Find the thresholds of an ensemble and write them; returns the result in one line."""
    from robot_learning.learning.interactive.recorded_gate import GateSettings, write_recorded_gate

    kind = cast("Literal['ensemble', 'thrifty']", job.kind)
    settings = GateSettings(kind=kind, target_rate=job.target_rate)
    return write_recorded_gate(job.dataset, job.checkpoint, settings, folder=job.folder)


def relabel_round(job: RelabelJob) -> str:
    """Label the rows in which the policy was in control; returns the result in one line."""
    from robot_learning.learning.interactive.relabel import relabel_dataset

    rows = 0
    for done in relabel_dataset(
        Dataset(job.dataset), job.episodes, choice=RowChoice(only="policy")
    ):
        print(done.summary, flush=True)
        rows += done.rows
    return f"{amount(rows, 'row')} labelled in {amount(len(job.episodes), 'episode')}"


def do(job: Job) -> str:
    """Do a job; returns the result in one line.

    Raises:
        RobotLearningError: the job cannot be done.
    """
    match job:
        case TrainJob():
            return train_round(job)
        case GateJob():
            return find_gate(job)
        case RelabelJob():
            return relabel_round(job)


def main(arguments: Sequence[str]) -> int:
    """Do the job of the document that is the only argument."""
    (document,) = arguments
    job = read_job(document)
    try:
        print(do(job))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    # Errors of the system (disk full, no permission) are reported like all others.
    except (RobotLearningError, OSError) as problem:
        print(f"{job.name}: {' '.join(str(problem).split())}", file=sys.stderr)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
