"""DART over several rounds: demonstrate with psi_k, train, estimate psi_k+1, and so on.

Each training uses all demonstrations so far except the held-out ones: some whole episodes of each
round, which no training ever sees. psi_k+1 comes from those of round k alone, since the
relevant states are those to which psi_k leads the demonstrator. Only successful episodes are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.control.noise import isotropic_covariance, load_covariance
from robot_learning.core.amounts import amount
from robot_learning.core.ensemble_folders import BEST
from robot_learning.core.profile import RobotProfile
from robot_learning.core.seeds import FIRST_HELD_OUT_SEED
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.store import seeds
from robot_learning.episodes.store.folder import INFO_NAME, DatasetFolder
from robot_learning.episodes.store.recovery import repair_dataset
from robot_learning.learning.evaluation.demonstrations import (
    DemonstrationConfig,
    record_demonstrations,
)
from robot_learning.learning.evaluation.evaluation import EvaluationConfig, evaluate
from robot_learning.learning.evaluation.simulation import rollout_for
from robot_learning.learning.interactive.dart_estimate import (
    Estimate,
    estimate,
    held_out,
    save_covariance,
)
from robot_learning.learning.interactive.dart_run import (
    DART_FILE,
    DartRound,
    DartRun,
    DartSettings,
    psi_path,
    training_folder,
)
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.training.config import TrainConfig
from robot_learning.learning.training.errors import RunError
from robot_learning.learning.training.trainer import train
from robot_learning.learning.training.training_state import STATE_NAME as TRAINING_STATE
from robot_learning.policies.checkpoint import load_checkpoint
from robot_learning.policies.policy import Policy
from robot_learning.sim.env import resolve_robot

_EXPERT_EVERY = 5

# Records the given number of further demonstrations of the newest round, with a file's noise.
Collect = Callable[[DartRun, int, Path], None]
Tell = Callable[[DartRun], None]


def run_rounds(
    folder: Path, run: DartRun, collect: Collect, tell: Tell, *, show_progress: bool = False
) -> DartRun:
    """Do what is left of a run, phase by phase.

    Args:
        folder: folder of the run.
        run: new run, or a saved one, from `DART_FILE`.
        collect: records demonstrations into the dataset of the run.
        tell: callback with the run whenever it has changed.
        show_progress: whether each training shows its progress on the terminal.

    Raises:
        RunError: no further successful demonstration was recorded; those so far are kept.
        TrainingError: the training, or the demonstrator, failed.
    """
    profile = resolve_robot(run.settings.robot)
    if not DART_FILE.exists(folder):
        first = isotropic_covariance(profile, run.settings.sigma)
        save_covariance(psi_path(folder, 0), first, profile)
        run = run.changed(trace=float(np.trace(first)))
        DART_FILE.save(folder, run)
    tell(run)
    while not run.is_done:
        if run.current.phase is Phase.COLLECTING:
            run = _collected(folder, run, collect)
        elif run.current.phase is Phase.TRAINING:
            run = _trained(folder, run, profile, show_progress)
        else:
            trace = run.current.next_trace or 0.0
            run = run.begun(DartRound(run.current.number + 1, trace=trace))
        DART_FILE.save(folder, run)
        tell(run)
    return run


def collect_from_expert(run: DartRun, missing: int, psi: Path) -> None:
    """Record the task's scripted expert, in lockstep simulation.

    Args:
        run: run whose settings name dataset, robot and task.
        missing: number of successful demonstrations to record.
        psi: file with the covariance of the noise.

    Raises:
        TrainingError: the expert fails more often than it succeeds; less noise may help.
    """
    settings = run.settings
    profile = resolve_robot(settings.robot)
    config = DemonstrationConfig(
        task=settings.task,
        robot=settings.robot,
        episodes=missing,
        seed=next_seed(settings),
        noise=load_covariance(psi, profile.joint_names),
        cameras=settings.cameras,
        image_size_px=settings.image_size_px,
    )
    record_demonstrations(config, Path(settings.dataset))


def next_seed(settings: DartSettings) -> int:
    """The seed after those of all episodes; episodes that a kill cut off are recovered first."""
    path = Path(settings.dataset)
    if not (path / INFO_NAME).exists():
        return settings.seed
    folder = DatasetFolder(path)
    if folder.partial_paths():
        repair_dataset(folder)
    return seeds.next_seed(folder, settings.seed)


def demonstrations(run: DartRun) -> tuple[str, ...]:
    """Names of the newest round's successful episodes so far that can be trained on."""
    if not (Path(run.settings.dataset) / INFO_NAME).exists():
        return ()
    earlier = {name for round_ in run.rounds[:-1] for name in round_.episodes}
    found = Dataset(run.settings.dataset).select(outcomes=["success"]).without(earlier)
    if not TrainConfig.from_plain(run.settings.training).data.keep_bad_timing:
        found = found.without(found.badly_timed())
    return tuple(summary.name for summary in found.episodes)


def _collected(folder: Path, run: DartRun, collect: Collect) -> DartRun:
    settings, number = run.settings, run.current.number
    while (have := len(demonstrations(run))) < settings.episodes:
        collect(run, settings.episodes - have, psi_path(folder, number))
        if len(demonstrations(run)) <= have:
            raise RunError(
                f"round {number} has {have} of "
                f"{amount(settings.episodes, 'successful episode')} of good timing, and got no "
                "more; continue with --resume"
            )
    names = demonstrations(run)
    shares = {"training": 1.0 - settings.held_out_share, "held_out": settings.held_out_share}
    parts = Dataset(settings.dataset).select(names=names).split(shares, settings.seed + number)
    apart = tuple(summary.name for summary in parts["held_out"].episodes)
    return run.changed(phase=Phase.TRAINING, episodes=names, held_out=apart)


def _trained(folder: Path, run: DartRun, profile: RobotProfile, show_progress: bool) -> DartRun:
    settings, number = run.settings, run.current.number
    every = Dataset(settings.dataset)
    apart = {name for round_ in run.rounds for name in round_.held_out}
    known = [name for round_ in run.rounds for name in round_.episodes]
    training = every.select(names=[name for name in known if name not in apart])
    config, place = TrainConfig.from_plain(settings.training), training_folder(folder, number)
    resume = (place / TRAINING_STATE).exists()
    train(
        training,
        config,
        place,
        resume=resume,
        rollout=rollout_for(training, config),
        show_progress=show_progress,
    )
    policy, found = _evaluated(place / BEST, every.select(names=run.current.held_out), run, profile)
    noise = found.noise(settings.size)
    save_covariance(psi_path(folder, number + 1), noise, profile)
    return run.changed(
        phase=Phase.DONE,
        error_before=_error_before(folder, run, profile),
        error_after=found.error,
        next_trace=float(np.trace(noise)),
        **_simulated(policy, settings),
    )


def _evaluated(
    checkpoint: Path, dataset: Dataset, run: DartRun, profile: RobotProfile
) -> tuple[Policy, Estimate]:
    """A trained policy, and its error on demonstrations that it was not trained on."""
    loaded = load_checkpoint(checkpoint)
    unseen = held_out(dataset, loaded.details.training, checkpoint)
    return loaded.policy, estimate(loaded.policy, unseen, profile, run.settings.gripper)


def _error_before(folder: Path, run: DartRun, profile: RobotProfile) -> float | None:
    """Error of the previous policy on the newest held-out episodes; None in round 0."""
    number = run.current.number
    if not number:
        return None
    unseen = Dataset(run.settings.dataset).select(names=run.current.held_out)
    return _evaluated(training_folder(folder, number - 1) / BEST, unseen, run, profile)[1].error


def _simulated(policy: Policy, settings: DartSettings) -> dict[str, Any]:
    """The policy's successes and errors in simulation; empty where none is wanted."""
    if not settings.evaluation_episodes:
        return {}
    config = EvaluationConfig(
        task=settings.task,
        robot=settings.robot,
        episodes=settings.evaluation_episodes,
        seed=FIRST_HELD_OUT_SEED,
        expert_every=_EXPERT_EVERY,
        reward="sparse",
    )
    found = evaluate(policy, config)
    errors = {
        "on_policy_error": found.on_policy_error,
        "off_policy_error": found.off_policy_error,
    }
    known = {name: error for name, error in errors.items() if math.isfinite(error)}
    return {"successes": found.success.successes, **known}
