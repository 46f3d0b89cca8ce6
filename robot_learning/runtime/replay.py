"""Sending a recorded episode's actions again, and how far the arm then strays from the recording.

The commands pass through the arbiter like those of any policy, so that a replay never asks more
of an arm than its limits allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.requests import Request
from robot_learning.control.settings import arbiter_settings
from robot_learning.control.state import Decision
from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import RobotProfile
from robot_learning.core.turns import TurnRules, counted
from robot_learning.core.types import FloatArray, Observation
from robot_learning.core.vocabulary import Mode
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import DatasetInfo
from robot_learning.episodes.store.episode import Episode
from robot_learning.runtime.session import LockstepRobot, Session, Subscriber
from robot_learning.runtime.trajectory_source import TrajectorySource

COLUMNS = {
    "applied": "control/applied",
    "requested": "control/requested",
    "human": "control/human",
    "policy": "control/policy",
    "actions": "actions",
}
_MEASURED = "obs/joint_position"
_NO_BLEND_S = 1e-6
_APPROACH_STEP_S, _SETTLING_S = 0.02, 0.5
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Recording:
    """What a replay takes from an episode. Times are nanoseconds since its first row.

    Attributes:
        joint_names: (n,) names of the joints.
        times_ns: (k,) times of the commands, increasing; the first is 0.
        positions: (k, n) commanded positions, rad or m, finite.
        measured_ns: (m,) times of the measurements, increasing.
        measured: (m, n) measured positions, rad or m.
        left_out: number of rows without a usable command.
    """

    joint_names: tuple[str, ...]
    times_ns: npt.NDArray[np.int64]
    positions: FloatArray
    measured_ns: npt.NDArray[np.int64]
    measured: FloatArray
    left_out: int

    @property
    def duration_s(self) -> float:
        """Seconds from the first command to the last."""
        return int(self.times_ns[-1]) / NS_PER_S


def read_recording(episode: Episode, column: str, profile: RobotProfile) -> Recording:
    """The commands of an episode, and the measurements to compare a replay with.

    Args:
        episode: the recording.
        column: column of commands that is replayed, a key of `COLUMNS`.
        profile: profile of the robot that will replay it.

    Raises:
        ConfigurationError: no such column, or other joints than the robot's; names both sides.
        EpisodeError: the episode lacks the column, has fewer than two usable rows of it, or holds
            corrective labels.
    """
    if column not in COLUMNS:
        raise ConfigurationError(unknown_choice("column to replay", column, COLUMNS))
    if episode.origins is not None:
        raise EpisodeError(
            f"{episode.path}: holds corrective labels, which nobody drove; replay "
            f"{episode.origins.episode}, which they were made for"
        )
    info, path = episode.info, COLUMNS[column]
    if tuple(info.joint_names) != profile.joint_names:
        raise ConfigurationError(
            f"{episode.path}: recorded with the joints {', '.join(info.joint_names)}; the robot "
            f"'{profile.name}' has {', '.join(profile.joint_names)}"
        )
    positions, stamps_ns = episode.column(path), _stamps_ns(episode, path)
    usable = np.isfinite(positions).all(axis=1) & _is_new(stamps_ns)
    if usable.sum() < 2:
        raise EpisodeError(
            f"{episode.path}: '{path}' has {amount(usable.sum(), 'usable row')}; 2 are needed"
        )
    origin_ns = int(stamps_ns[usable][0])
    turns = TurnRules.of(profile)
    measured_ns = _stamps_ns(episode, _MEASURED)
    seen = _is_new(measured_ns)
    return Recording(
        joint_names=profile.joint_names,
        times_ns=stamps_ns[usable] - origin_ns,
        positions=turns.rows_beside(positions[usable], profile.home),
        measured_ns=measured_ns[seen] - origin_ns,
        measured=counted(turns, episode.column(_MEASURED)[seen]),
        left_out=int((~np.isfinite(positions).all(axis=1)).sum()),
    )


def as_recorded(profile: RobotProfile, info: DatasetInfo) -> RobotProfile:
    """The robot with the limits that the recording was made with, for a replay in simulation.

    Demonstrations in lockstep follow the environment's rule: one command per row, and in each
    row every joint moves no further than its velocity limit allows. An arbiter at another rate,
    with an acceleration limit as well, would not reproduce that. What was recorded through an
    arbiter is replayed with the profile as it is.
    """
    rate_hz = info.full_env_args()["env_kwargs"].get("control_rate_hz")
    if not isinstance(rate_hz, int | float) or rate_hz <= 0:
        return profile
    joints = tuple(
        # Enough to reverse from full speed to full speed within one period, so it never limits.
        replace(joint, acceleration_max=2.0 * joint.velocity_max * rate_hz)
        for joint in profile.joints
    )
    return replace(profile, joints=joints, control_rate_hz=float(rate_hz))


def between_rows(profile: RobotProfile, recording: Recording) -> RobotProfile:
    """The robot with the acceleration that the straight lines between recorded commands need.

    Where an arbiter decides twice between two rows, a motion at its acceleration limit has
    corners when it is drawn through the rows, with twice that acceleration in one of the two
    decisions. For a replay of `applied` in simulation: it was limited when it was recorded.
    """
    period_s = float(np.median(np.diff(recording.times_ns))) / NS_PER_S
    # Stamps are whole nanoseconds.
    decisions = max(1, round(period_s * profile.control_rate_hz))
    joints = tuple(
        replace(joint, acceleration_max=decisions * joint.acceleration_max)
        for joint in profile.joints
    )
    return replace(profile, joints=joints)


def start_options(
    episode: Episode, objects: Sequence[str], profile: RobotProfile
) -> dict[str, Any]:
    """The reset options of a simulated robot that put it where the episode began.

    Args:
        episode: the recording.
        objects: names of the objects in the scene; `poses` lacks those that were not recorded.
        profile: profile of the simulated robot, whose position limits the joints are clipped to.
    """
    recorded = {column.path for column in episode.info.columns}
    joints, _ = TurnRules.of(profile).first(episode.column(_MEASURED, 0, 1)[0])
    return {
        "joint_position": np.clip(joints, profile.position_min, profile.position_max),
        "poses": {
            name: episode.column(f"obs/{name}", 0, 1)[0]
            for name in objects
            if f"obs/{name}" in recorded
        },
    }


@dataclass(frozen=True, eq=False)
class ReplayResult:
    """How a replay went.

    Attributes:
        joint_names: (n,) names of the joints.
        largest: (n,) largest distance from the recorded measurements, rad or m.
        mean: (n,) mean distance from the recorded measurements, rad or m.
        compared: number of measurements that were compared.
        limited: number of ticks in which the arbiter's limits changed the command.
        modes: number of ticks in each of the arbiter's modes.
        refused: number of commands that the arbiter refused, by reason.
        solved: whether the simulated task was solved at the end; None where that is not known.
    """

    joint_names: tuple[str, ...]
    largest: FloatArray
    mean: FloatArray
    compared: int
    limited: int = 0
    modes: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    solved: bool | None = None

    def lines(self) -> list[str]:
        """The result for people, a table first."""
        width = max(len(name) for name in self.joint_names)
        rows = zip(self.joint_names, self.largest, self.mean, strict=True)
        text = [f"{'joint':{width}}  largest     mean  from the recording, rad or m"]
        text += [f"{name:{width}}  {most:7.4f}  {mean:7.4f}" for name, most, mean in rows]
        worst = self.joint_names[int(self.largest.argmax())]
        text.append(
            f"at most {self.largest.max():.4f} ({worst}) at {amount(self.compared, 'instant')}"
        )
        modes = ", ".join(f"{count} in {mode}" for mode, count in self.modes.items())
        if modes:
            text.append(f"ticks: {modes}; limits changed something in {self.limited}")
        text += [f"refused: {count} {reason}" for reason, count in self.refused.items()]
        return text


def approach(
    recording: Recording, start: FloatArray, profile: RobotProfile, speed: float
) -> tuple[npt.NDArray[np.int64], FloatArray, int]:
    """A recording preceded by a slow approach from the arm's present position.

    Args:
        recording: recording that follows the approach.
        start: (n,) present joint positions, rad or m.
        profile: profile of the robot.
        speed: largest share of each joint's velocity limit that the approach uses.

    Returns:
        Times in nanoseconds (k,), positions (k, n), and the time at which the recording begins.
    """
    # A continuous joint goes the shorter way instead of unwinding all the turns between.
    begin = TurnRules.of(profile).beside(recording.positions[0], start)
    positions = recording.positions + (begin - recording.positions[0])
    way = begin - start
    # The cubic step 3 s^2 - 2 s^3 peaks at 1.5 times its mean speed, halfway.
    longest_s = float((np.abs(way) / profile.velocity_max).max()) * 1.5 / speed
    steps = max(2, round(longest_s / _APPROACH_STEP_S) + 1)
    share = np.linspace(0.0, 1.0, steps)[:, None]
    rows = start + way * (3.0 - 2.0 * share) * share**2
    times_ns = (np.arange(steps) * _APPROACH_STEP_S * NS_PER_S).astype(np.int64)
    begin_ns = int(times_ns[-1]) + round(_SETTLING_S * NS_PER_S)
    return (
        np.concatenate([times_ns, recording.times_ns + begin_ns]),
        np.concatenate([rows, positions]),
        begin_ns,
    )


def deviation(
    recording: Recording,
    times_ns: npt.NDArray[np.int64],
    measured: FloatArray,
    turns: TurnRules | None = None,
) -> ReplayResult:
    """Compare the measurements of a replay with the recorded ones.

    Args:
        recording: recording that was replayed.
        times_ns: (m,) times of the new measurements since the first command, increasing.
        measured: (m, n) new measurements, rad or m, interpolated linearly in time.
        turns: rules of the continuous joints, whose distance is then the shorter way round;
            None treats no joint as continuous.

    Raises:
        EpisodeError: the two do not overlap in time.
    """
    inside = (recording.measured_ns >= times_ns[0]) & (recording.measured_ns <= times_ns[-1])
    if not inside.any():
        raise EpisodeError("the replay and the recording have no instant in common")
    wanted_ns = recording.measured_ns[inside]
    found = np.stack(
        [np.interp(wanted_ns, times_ns, measured[:, joint]) for joint in range(measured.shape[1])],
        axis=1,
    )
    wanted = recording.measured[inside]
    if turns is not None:
        found = np.array([turns.beside(*rows) for rows in zip(found, wanted, strict=True)])
    distance = np.abs(found - wanted)
    return ReplayResult(
        recording.joint_names, distance.max(axis=0), distance.mean(axis=0), int(inside.sum())
    )


def replay(
    recording: Recording,
    robot: LockstepRobot,
    options: Mapping[str, Any],
    *,
    seed: int | None = None,
    solved: Callable[[], bool] | None = None,
    progress: Progress | None = None,
) -> ReplayResult:
    """Send a recording to a simulated robot, in lockstep.

    Args:
        recording: recording to send, from `read_recording`.
        robot: connected simulated robot.
        options: options of the robot's reset, from `start_options`.
        seed: seed of the robot's reset; None takes the robot's next one.
        solved: returns whether the task is solved now; None where that is not known.
        progress: callback with the number of control periods done and their total; None for none.

    Raises:
        ConfigurationError: the robot cannot be reset with these options.
        EpisodeError: nothing could be compared.
    """
    profile = robot.profile
    # The arm is already where the recording begins, so there is nothing to blend.
    settings = arbiter_settings(profile, blend_s=_NO_BLEND_S)
    source = TrajectorySource(recording.times_ns, recording.positions, profile.joint_names)
    log = _Log()
    session = Session(robot, Arbiter(settings), policy=source, subscribers=[log])
    session.reset(seed, options, requests=(Request.ENABLE, Request.HAND_BACK))
    steps = round(recording.duration_s * profile.control_rate_hz) + 1
    for step in range(steps):
        session.step()
        if progress:
            progress(step + 1, steps)
    times_ns, joints = np.array(log.times_ns) - log.times_ns[0], np.array(log.joints)
    compared = deviation(recording, times_ns, joints, settings.turns)
    return ReplayResult(
        compared.joint_names,
        compared.largest,
        compared.mean,
        compared.compared,
        limited=log.limited,
        modes=log.modes,
        refused=dict(session.state.refusals.counts),
        solved=solved() if solved else None,
    )


class _Log(Subscriber):
    def __init__(self) -> None:
        self.times_ns: list[int] = []
        self.joints: list[FloatArray] = []
        self.modes: dict[str, int] = {}
        self.limited = 0

    def on_step(self, observation: Observation, decision: Decision) -> None:
        self.times_ns.append(observation.stamp_ns)
        self.joints.append(observation.joint_position)
        name = Mode(decision.mode).name
        self.modes[name] = self.modes.get(name, 0) + 1
        self.limited += bool(np.any(decision.limited))


def _stamps_ns(episode: Episode, path: str) -> npt.NDArray[np.int64]:
    for stream in episode.info.streams:
        if any(column.path == path for column in stream.columns):
            stamps_ns: npt.NDArray[np.int64] = episode.column(f"streams/{stream.name}/stamp_ns")
            return stamps_ns
    known = ", ".join(column.path for column in episode.info.columns)
    raise EpisodeError(f"{episode.path}: has no column '{path}'; it has {known}")


def _is_new(stamps_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(T,) whether a row holds a sample that no earlier row held."""
    return np.asarray((stamps_ns >= 0) & (np.diff(stamps_ns, prepend=-1) > 0))
