"""The state of a DART run over rounds, and its folder.

`dart.json` holds the progress of the run and is replaced atomically, so that a run that was killed
at any instant is resumed from the phase that it was in. Next to it are `psi_<k>.npz`, the noise of
round k, and `round_<k>/`, the training at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, TrueShare
from robot_learning.learning.interactive.dart_estimate import NoiseSize
from robot_learning.learning.runs.budget import Budget
from robot_learning.learning.runs.run import InteractiveRun, Phase
from robot_learning.learning.runs.state_file import StateFile


@dataclass(frozen=True)
class DartSettings:
    """The settings of a run.

    Attributes:
        task: name of the task.
        robot: name or path of the robot's profile.
        dataset: folder of all demonstrations.
        training: settings of each training, from `TrainConfig.to_plain()`.
        device: who demonstrates: `expert` in lockstep simulation, or an operator's device: one that
            ships, or `module:Class` of the user's own.
        launch: further launch arguments of the recording session, with an operator's device.
        cameras: names of the cameras that are recorded of the expert.
        image_size_px: (height, width) of the expert's images; None for the size in the profile.
        rounds: number of rounds.
        episodes: number of successful episodes in each round, at least 2.
        held_out_share: share of each round's episodes that is held out, at least one.
        sigma: standard deviation of the noise on each arm joint in round 0, rad.
        alpha, trace_cap, gripper: size of the noise in later rounds, see `NoiseSize`.
        seed: seed of the first episode; the next ones follow.
        evaluation_episodes: number of episodes simulated with each trained policy; 0 for none.
    """

    task: str
    robot: str
    dataset: str
    training: Mapping[str, Any]
    device: str
    launch: Mapping[str, str] = field(default_factory=dict)
    cameras: tuple[str, ...] = ()
    image_size_px: tuple[int, int] | None = None
    rounds: AtLeast1 = 3
    episodes: int = 20
    held_out_share: TrueShare = 0.2
    sigma: NotNegative = 0.0
    alpha: float | None = None
    trace_cap: float | None = None
    gripper: bool = False
    seed: AtLeast0 = 0
    evaluation_episodes: AtLeast0 = 50

    def __post_init__(self) -> None:
        check(self)
        if self.episodes < 2:
            raise ConfigurationError(
                f"episodes: expected at least 2 a round, one to train on and one to hold out, "
                f"found {self.episodes}"
            )
        if self.alpha is None and self.trace_cap is None:
            raise ConfigurationError("give alpha or trace_cap: noise of any size may ruin the task")

    @property
    def size(self) -> NoiseSize:
        """The size of the noise in later rounds."""
        return NoiseSize(self.alpha, self.trace_cap, self.gripper)


@dataclass(frozen=True)
class DartRound:
    """One round. Errors are mean squared errors, rad², over its held-out episodes.

    Attributes:
        number: number of the round, from 0.
        phase: phase of the round.
        trace: trace of the noise's covariance in the demonstrations, rad².
        episodes: names of the successful episodes, the held-out ones included.
        held_out: names of the held-out episodes.
        error_before: error of the previous round's policy; None in round 0.
        error_after: error of the policy that this round trained; None before.
        successes: number of simulated episodes in which the policy succeeded; None where none
            were simulated.
        on_policy_error, off_policy_error: mean squared error of the policy in simulation, on the
            states that it visits itself and on those of an undisturbed expert, with each joint
            as a share of its range; None where not measured. DART is to make their difference
            small.
        next_trace: trace of the estimated covariance for the next round, rad²; None before.
    """

    number: int
    phase: Phase = Phase.COLLECTING
    trace: float = 0.0
    episodes: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    error_before: float | None = None
    error_after: float | None = None
    successes: int | None = None
    on_policy_error: float | None = None
    off_policy_error: float | None = None
    next_trace: float | None = None


@dataclass(frozen=True)
class DartRun(InteractiveRun[DartRound]):
    """Everything that is needed to resume a run.

    Attributes:
        settings: settings of the run.
        rounds: rounds so far, oldest first.
    """

    settings: DartSettings
    rounds: tuple[DartRound, ...] = field(default=(DartRound(0),), kw_only=True)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        budget = Budget(rounds=self.settings.rounds)
        is_whole = self.current.phase is Phase.DONE
        return is_whole and budget.is_spent(rounds=len(self.rounds))


DART_FILE = StateFile(
    name="dart.json",
    kind=DartRun,
    version=2,
    run="DART run",
    former_names={"iterations": "rounds"},
    complete=tuple(item.name for item in fields(DartRound)),
)
load_run = DART_FILE.load


def psi_path(folder: Path, number: int) -> Path:
    """File of the noise of round `number`."""
    return folder / f"psi_{number}.npz"


def training_folder(folder: Path, number: int) -> Path:
    """Folder of the training at the end of round `number`; earlier releases named it otherwise."""
    former = folder / f"iteration_{number}"
    return former if former.exists() else folder / f"round_{number}"
