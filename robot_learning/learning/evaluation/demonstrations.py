"""Demonstrations of a scripted expert, simulated in lockstep and recorded like any other episode.

The noise is DART's: it moves the arm, and the label stays the expert's clean action.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning import __version__
from robot_learning.control.noise import ActionNoise, isotropic_covariance
from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, Image, Observation
from robot_learning.core.vocabulary import Limit, Source
from robot_learning.episodes.format.schema import DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder, refuse_other_things
from robot_learning.episodes.store.recovery import repair_dataset
from robot_learning.episodes.store.seeds import next_seed
from robot_learning.learning.training.errors import TrainingError
from robot_learning.runtime.recording import SessionRecording
from robot_learning.sim.env import RobotEnv, resolve_robot
from robot_learning.sim.experts import make_expert
from robot_learning.sim.observation import observed_names

# The recorder's clock advances by this much between two episodes.
_PAUSE_S = 1.0
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class DemonstrationConfig:
    """What is demonstrated.

    Attributes:
        task: name of a task with a scripted expert.
        robot: name or path of the robot's profile.
        episodes: number of successful episodes to save; failed ones are discarded.
        seed: seed of the first try; each further try takes the next one. A dataset that has
            episodes begins with the first seed after all of theirs.
        noise: standard deviation of the noise on each arm joint, rad; or a covariance (n, n) in
            the action's units squared.
        noise_hold_steps: number of rows for which a draw of the noise is held.
        cameras: names of the cameras that are recorded, uncompressed.
        image_size_px: (height, width) of the images; None for the size in the profile.
        rate_hz: rows per second, which is the control rate.
        resume: whether a dataset that has episodes is added to; false refuses it.
    """

    task: str = "lift"
    robot: str = "desk_arm"
    episodes: int = 100
    seed: int = 0
    noise: float | FloatArray = 0.0
    noise_hold_steps: int = 5
    cameras: tuple[str, ...] = ()
    image_size_px: tuple[int, int] | None = None
    rate_hz: float = 50.0
    resume: bool = True


@dataclass(frozen=True)
class DemonstrationReport:
    """What was recorded.

    Attributes:
        saved: number of episodes that were saved.
        discarded: number of episodes that failed.
        rows: number of rows of the saved episodes.
        wall_s: duration of the recording, in seconds of wall time.
        first_seed: seed of the first try.
        before: number of episodes that the dataset had already.
        recovered: names of earlier episodes that had been cut off by a kill and were recovered.
    """

    saved: int
    discarded: int
    rows: int
    wall_s: float
    first_seed: int = 0
    before: int = 0
    recovered: tuple[str, ...] = ()


def with_camera_sizes(
    profile: RobotProfile, sizes_px: Mapping[str, tuple[int, int]]
) -> RobotProfile:
    """The profile with the named cameras set to (height, width)."""
    cameras = []
    for camera in profile.cameras:
        height, width = sizes_px.get(camera.name, (camera.height_px, camera.width_px))
        cameras.append(replace(camera, height_px=height, width_px=width))
    return replace(profile, cameras=tuple(cameras))


def record_demonstrations(
    config: DemonstrationConfig, path: Path, progress: Progress | None = None
) -> DemonstrationReport:
    """Record `config.episodes` successful episodes into the dataset at `path`.

    An existing dataset that describes the same recording is continued with the seeds that follow
    those of its episodes, so that no episode is recorded twice. Episodes that were cut off by a
    kill are recovered first.

    Args:
        config: what is demonstrated.
        path: folder of the dataset; made where it does not exist.
        progress: callback with the number of saved episodes and of those wanted; None for none.

    Raises:
        ConfigurationError: an unknown name, the dataset records something else, or it has episodes
            and is not to be resumed.
        TrainingError: the expert fails more often than it succeeds.
    """
    if config.episodes < 1:
        raise ConfigurationError(f"episodes: expected at least 1, found {config.episodes}")
    refuse_other_things(path)
    begin_s = time.monotonic()
    session = _Session(config, path)
    saved = tries = rows = 0
    try:
        if not config.resume:
            session.folder.refuse_episodes()
        recovered = _recover(session.folder)
        with session.folder.lock():
            before = len(session.folder.episode_names())
            first_seed = next_seed(session.folder, config.seed)
            while saved < config.episodes:
                length = session.episode(first_seed + tries)
                tries += 1
                saved += length > 0
                rows += length
                if tries - saved > config.episodes + 10:
                    raise TrainingError(
                        f"the expert of '{config.task}' failed {tries - saved} of {tries} times; "
                        "with less noise it may succeed"
                    )
                if progress:
                    progress(saved, config.episodes)
    finally:
        session.close()
    wall_s = time.monotonic() - begin_s
    return DemonstrationReport(saved, tries - saved, rows, wall_s, first_seed, before, recovered)


def _recover(folder: DatasetFolder) -> tuple[str, ...]:
    if not folder.partial_paths():
        return ()
    return tuple(repair_dataset(folder).recovered)


class _Session:
    """One environment, its expert and a recording, on a clock that only goes forward."""

    def __init__(self, config: DemonstrationConfig, path: Path) -> None:
        self.config = config
        profile = resolve_robot(config.robot)
        if config.image_size_px:
            sizes_px = {camera.name: config.image_size_px for camera in profile.cameras}
            profile = with_camera_sizes(profile, sizes_px)
        self.env = RobotEnv(
            profile, config.task, cameras=config.cameras, control_rate_hz=config.rate_hz
        )
        self._expert = make_expert(config.task, profile)
        self._noise = _noise(config, profile)
        self.folder = DatasetFolder.create_or_open(path, dataset_info(self.env, config))
        # A demonstration can be made again, so waiting for the disk at each flush is not worth it.
        recorder = Recorder(self.folder, settings=WriterSettings(sync=False))
        self._recording = SessionRecording(recorder, lambda: self._task_values)
        self._task_values = (0.0, False)
        self._start_ns = 0

    def episode(self, seed: int) -> int:
        """Number of rows of the episode if it succeeded and was saved, else 0."""
        observation, info = self.env.reset(seed=seed)
        self._expert.reset(seed)
        self._recording.on_reset(seed)
        self._recording.start(self._metadata(seed))
        row, done, success = 0, False, False
        while not done:
            tick_ns = self._start_ns + seconds_to_ns(row / self.config.rate_hz)
            sensed = self._sense(tick_ns, observation)
            label = self._expert(observation, info)
            noise = self._noise.draw(seed, row) if self._noise else np.zeros_like(label)
            observation, reward, success, truncated, info = self.env.step(label + noise)
            self._task_values = (float(reward), bool(success))
            self._recording.record(sensed, self._decision(label, noise, info["taken"]))
            row, done = row + 1, success or truncated
        self._start_ns += seconds_to_ns(row / self.config.rate_hz + _PAUSE_S)
        if not success:
            self._recording.discard()
            return 0
        self._recording.stop("success")
        return row

    def close(self) -> None:
        """Discard an interrupted episode, which can be made again."""
        self._recording.discard()
        self.env.close()

    def _sense(self, stamp_ns: int, observation: Mapping[str, Any]) -> Observation:
        world = self.env.world
        return Observation(
            stamp_ns,
            world.joint_position,
            world.joint_velocity,
            world.joint_effort,
            {name: world.pose(name) for name in _pose_names(self.env)},
            {name: Image(stamp_ns, observation[name]) for name in self.config.cameras},
        )

    def _decision(
        self, label: FloatArray, noise: FloatArray, taken: FloatArray
    ) -> Mapping[str, Any]:
        requested = label + noise
        return standard.decision_values(
            source=int(Source.HUMAN),
            human=label,
            policy=np.full_like(label, np.nan),
            noise=noise,
            requested=requested,
            applied=taken,
            limited=_limited(requested, taken, self.env.profile),
            intervention=False,
        )

    def _metadata(self, seed: int) -> EpisodeMetadata:
        return EpisodeMetadata(
            instruction=self.config.task,
            operator="expert",
            device="expert",
            seed=seed,
            noise_covariance=self._noise.covariance if self._noise else None,
            started_utc=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            software_version=__version__,
        )


def dataset_info(env: RobotEnv, config: DemonstrationConfig) -> DatasetInfo:
    """What a recording of the environment holds."""
    profile, rate_hz = env.profile, config.rate_hz
    cameras = [camera for camera in profile.cameras if camera.name in config.cameras]
    streams: list[Stream] = [
        standard.joint_stream(profile, rate_hz, _pose_names(env)),
        standard.decision_stream(profile, rate_hz),
        standard.task_stream(rate_hz),
        *(standard.camera_stream(replace(c, rate_hz=rate_hz), raw=True) for c in cameras),
    ]
    found = {camera.name for camera in cameras}
    for name in config.cameras:
        if name not in found:
            raise ConfigurationError(f"the camera '{name}' belongs to the scene, not the robot")
    kwargs = {
        "robot": profile.name,
        "cameras": list(config.cameras),
        "control_rate_hz": rate_hz,
    }
    return DatasetInfo(
        robot=profile.name,
        task=env.task.name,
        rate_hz=rate_hz,
        streams=tuple(streams),
        joint_names=profile.joint_names,
        env_args={"env_name": env.task.name, "type": 2, "env_kwargs": kwargs},
    )


def _pose_names(env: RobotEnv) -> tuple[str, ...]:
    return observed_names(env.world.simulation, env.task.objects)


def _limited(
    requested: FloatArray, taken: FloatArray, profile: RobotProfile
) -> npt.NDArray[np.uint8]:
    """(n,) bits of `core.vocabulary.Limit` for the joints whose request the servos do not take."""
    outside = (requested < profile.position_min) | (requested > profile.position_max)
    reason = np.where(outside, int(Limit.POSITION), int(Limit.VELOCITY))
    return np.where(taken != requested, reason, 0).astype(np.uint8)


def _noise(config: DemonstrationConfig, profile: RobotProfile) -> ActionNoise | None:
    covariance = (
        isotropic_covariance(profile, config.noise)
        if isinstance(config.noise, int | float)
        else config.noise
    )
    if not np.any(covariance):
        return None
    return ActionNoise(covariance, config.seed, config.noise_hold_steps)
