"""The state of a DART run over iterations, and the folder that it lies in.

`dart.json` holds how far the run is and is replaced whole, so that a run which was killed at any
instant goes on from the phase that it was in. Beside it lie `psi_<k>.npz`, the noise of iteration
k, and `iteration_<k>/`, the training at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, TrueShare
from robot_learning.learning.interactive.dart_estimate import NoiseSize
from robot_learning.learning.training.errors import RunError
from robot_learning.learning.training.state_file import read_state, write_state

STATE_NAME = "dart.json"
_VERSION = 1


class Phase(str, Enum):
    """What an iteration is at."""

    COLLECTING = "collecting"
    TRAINING = "training"
    DONE = "done"


@dataclass(frozen=True)
class DartSettings:
    """What a run is asked for.

    Attributes:
        task: its name.
        robot: name or path of a profile.
        dataset: folder of all demonstrations.
        training: `TrainConfig.to_plain()`.
        device: who demonstrates: `expert` in lockstep simulation, or an operator's device.
        launch: more launch arguments of the recording session, with an operator's device.
        cameras: that are recorded of the expert, and the (height, width) of their images.
        iterations: how many.
        episodes: successful ones in each.
        held_out_share: of each iteration's episodes, at least one.
        sigma: standard deviation of the noise on each arm joint in iteration 0, rad.
        alpha, trace_cap, gripper: as `NoiseSize`.
        seed: of the first episode.
        evaluation_episodes: simulated with each trained policy; 0 for none.
    """

    task: str
    robot: str
    dataset: str
    training: Mapping[str, Any]
    device: str
    launch: Mapping[str, str] = field(default_factory=dict)
    cameras: tuple[str, ...] = ()
    image_size_px: tuple[int, int] | None = None
    iterations: AtLeast1 = 3
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
                f"episodes: expected at least 2 an iteration, one to train on and one to hold out, "
                f"found {self.episodes}"
            )
        if self.alpha is None and self.trace_cap is None:
            raise ConfigurationError("give alpha or trace_cap: noise of any size may ruin the task")

    @property
    def size(self) -> NoiseSize:
        """How large the noise is made."""
        return NoiseSize(self.alpha, self.trace_cap, self.gripper)


@dataclass(frozen=True)
class DartIteration:
    """One iteration. Errors are mean squared ones, rad², over its held-out episodes.

    Attributes:
        number: from 0.
        phase: where it is.
        trace: of the noise that it is demonstrated with, rad².
        episodes: that succeeded, the held-out ones included.
        held_out: of them.
        error_before: of the policy of the iteration before.
        error_after: of the policy that this one trained.
        successes: of so many simulated episodes.
        on_policy_error, off_policy_error: of its policy in simulation, on the states that it
            visits itself and on those of an undisturbed expert; there each joint counts as a
            share of its range. Their difference is what DART is to make small.
        next_trace: of the noise that was estimated.
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
class DartRun:
    """Everything that a run goes on from."""

    settings: DartSettings
    iterations: tuple[DartIteration, ...] = (DartIteration(0),)

    @property
    def current(self) -> DartIteration:
        """The newest iteration."""
        return self.iterations[-1]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        enough = len(self.iterations) >= self.settings.iterations
        return enough and self.current.phase is Phase.DONE

    def changed(self, **values: Any) -> DartRun:
        """With other values in its newest iteration."""
        changed = replace(self.current, **values)
        return replace(self, iterations=(*self.iterations[:-1], changed))


def psi_path(folder: Path, number: int) -> Path:
    """The noise with which iteration `number` is demonstrated."""
    return folder / f"psi_{number}.npz"


def training_folder(folder: Path, number: int) -> Path:
    """The training at the end of iteration `number`."""
    return folder / f"iteration_{number}"


def save_run(folder: Path, run: DartRun) -> None:
    """Replace the state in `folder`, which is made.

    Raises:
        RunError: it cannot be written; the state before stays.
    """
    path = folder / STATE_NAME
    try:
        write_state(path, _VERSION, asdict(run))
    except OSError as problem:
        raise RunError(f"{path}: cannot be written: {problem}") from problem


def load_run(folder: Path) -> DartRun:
    """The state of the run in `folder`.

    Raises:
        RunError: there is none, it is damaged, or a newer version wrote it.
    """
    path = folder / STATE_NAME
    run = read_state(path, _VERSION, _run, "DART run")
    if not run.iterations:
        raise RunError(f"{path}: damaged: it names no iteration")
    return run


def _run(plain: Mapping[str, Any]) -> DartRun:
    iterations = tuple(_iteration(item) for item in plain["iterations"])
    return DartRun(_settings(plain["settings"]), iterations)


def _settings(plain: Mapping[str, Any]) -> DartSettings:
    size = plain["image_size_px"]
    lists = {"cameras": tuple(plain["cameras"]), "image_size_px": tuple(size) if size else None}
    return DartSettings(**{**plain, **lists})


def _iteration(plain: Mapping[str, Any]) -> DartIteration:
    names = {item.name for item in fields(DartIteration)}
    if plain.keys() != names:
        raise ValueError(f"an iteration has {', '.join(sorted(names))}")
    lists = {key: tuple(plain[key]) for key in ("episodes", "held_out")}
    return DartIteration(**{**plain, **lists, "phase": Phase(plain["phase"])})
