"""Recording in lockstep: the columns of a recording over topics, repeatable exactly.

`SessionRecording` subscribes to a `Session`; what has no arbiter, such as an expert that acts in an
environment, gives it one row after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from robot_learning.control.state import Decision
from robot_learning.core.profile import Camera, RobotProfile
from robot_learning.core.types import Observation
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.intervention import InterventionWatch
from robot_learning.episodes.format.schema import DatasetInfo, EpisodeMetadata, Stream
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.recorder import Recorder, SavedEpisode
from robot_learning.runtime.session import Subscriber

Samples = list[tuple[str, int, Mapping[str, Any]]]
TaskValues = Callable[[], tuple[float, bool]]


def session_info(
    profile: RobotProfile,
    task: str,
    rate_hz: float,
    *,
    poses: Iterable[str] = (),
    cameras: Iterable[Camera] = (),
    raw_images: bool = False,
    with_task: bool = False,
    env_args: Mapping[str, Any] | None = None,
) -> DatasetInfo:
    """What a recording of a session holds.

    Args:
        profile: profile of the robot.
        task: name of the task.
        rate_hz: rows per second; the robot is observed at its control rate.
        poses: names of the observed poses.
        cameras: cameras that are recorded.
        raw_images: whether images are stored uncompressed.
        with_task: whether the task's reward and success are recorded.
        env_args: description of the environment, as in `DatasetInfo`; None for none.
    """
    control_hz = profile.control_rate_hz
    streams = [
        standard.joint_stream(profile, control_hz, poses),
        standard.decision_stream(profile, control_hz),
        *(standard.camera_stream(camera, raw=raw_images) for camera in cameras),
    ]
    if with_task:
        streams.append(standard.task_stream(control_hz, success=True))
    return DatasetInfo(
        robot=profile.name,
        task=task,
        rate_hz=rate_hz,
        streams=tuple(streams),
        joint_names=profile.joint_names,
        env_args=dict(env_args or {}),
    )


class SessionSamples:
    """Turns the steps of a session into samples of a dataset's streams."""

    def __init__(self, info: DatasetInfo, task_values: TaskValues | None = None) -> None:
        """Prepare.

        Args:
            info: description of what is recorded, from `session_info` or with the same streams.
            task_values: returns the current reward and whether the task is solved; None where the
                task is not recorded.

        Raises:
            EpisodeError: a stream is not one that a session produces.
        """
        self._joints: Stream | None = None
        self._columns: dict[str, frozenset[str]] = {}
        self._cameras: dict[str, str] = {}
        self._task_values = task_values
        self._watch = InterventionWatch()
        self._shown_ns: dict[str, int] = {}
        for stream in info.streams:
            self._columns[stream.name] = frozenset(column.path for column in stream.columns)
            if stream.name == standard.JOINTS:
                self._joints = stream
            elif len(stream.columns) == 1 and stream.columns[0].is_image:
                self._cameras[stream.name] = stream.columns[0].path
            elif stream.name not in (standard.DECISION, standard.TASK):
                raise EpisodeError(f"a session has no stream '{stream.name}'")
            elif stream.name == standard.TASK and task_values is None:
                raise EpisodeError("the stream 'task' needs somebody who gives its values")

    def reset(self) -> None:
        """An episode begins."""
        self._watch.reset()
        self._shown_ns = {}

    def of_step(self, observation: Observation, decision: Decision) -> Samples:
        """The samples (stream, stamp, values) that are new in a step of a session."""
        intervention = self._watch.step(decision.source)
        return self.of_row(observation, _decision_values(decision, intervention))

    def of_row(self, observation: Observation, decision: Mapping[str, Any]) -> Samples:
        """The samples (stream, stamp, values) that are new in a row.

        Args:
            observation: what was observed.
            decision: what was decided on it, from `standard.decision_values`.
        """
        now_ns = observation.stamp_ns
        samples: Samples = []
        if self._joints is not None:
            values = standard.joint_values(self._joints, observation)
            samples.append((standard.JOINTS, now_ns, values))
        if standard.DECISION in self._columns:
            samples.append((standard.DECISION, now_ns, decision))
        for name, path in self._cameras.items():
            image = observation.images.get(name)
            if image is not None and self._shown_ns.get(name) != image.stamp_ns:
                self._shown_ns[name] = image.stamp_ns
                samples.append((name, image.stamp_ns, {path: image.pixels}))
        if self._task_values is not None and standard.TASK in self._columns:
            reward, success = self._task_values()
            task = {"rewards": reward, standard.SUCCESS: success}
            recorded = {path: task[path] for path in task if path in self._columns[standard.TASK]}
            samples.append((standard.TASK, now_ns, recorded))
        return samples


class SessionRecording(Subscriber):
    """Feeds a recorder; the caller holds the lock of the recorder's folder.

    Call `start` after the session's `reset`: the next step, or call of `record`, gives the first
    row. Then call `stop` or `discard`.
    """

    def __init__(self, recorder: Recorder, task_values: TaskValues | None = None) -> None:
        """Prepare; see `SessionSamples`."""
        self.recorder = recorder
        self._samples = SessionSamples(recorder.folder.info, task_values)
        self._metadata: EpisodeMetadata | None = None

    def start(self, metadata: EpisodeMetadata) -> None:
        """Begin an episode with the next step."""
        self._metadata = metadata

    def stop(self, outcome: str = "unknown") -> SavedEpisode:
        """Save the episode; see `Recorder.stop`."""
        self._metadata = None
        return self.recorder.stop(outcome)

    def discard(self) -> None:
        """Throw the episode away."""
        self._metadata = None
        if self.recorder.recording:
            self.recorder.discard()

    def on_reset(self, seed: int) -> None:
        """See `Subscriber`."""
        self._samples.reset()

    def on_step(self, observation: Observation, decision: Decision) -> None:
        """Record what is new.

        Raises:
            EpisodeError: a sample was refused, or the disk cannot take any more.
        """
        self._take(observation.stamp_ns, self._samples.of_step(observation, decision))

    def record(self, observation: Observation, decision: Mapping[str, Any]) -> None:
        """Record a row without a session.

        Args:
            observation: what was observed.
            decision: what was decided on it, from `standard.decision_values`.

        Raises:
            EpisodeError: a sample was refused, or the disk cannot take any more.
        """
        self._take(observation.stamp_ns, self._samples.of_row(observation, decision))

    def _take(self, now_ns: int, samples: Samples) -> None:
        for stream, stamp_ns, values in samples:
            if not self.recorder.push(stream, stamp_ns, now_ns, values):
                refused = self.recorder.status(now_ns).refused[stream]
                raise EpisodeError(f"a sample of '{stream}' was refused: {refused}")
        if self._metadata is not None:
            self.recorder.start(self._metadata, now_ns)
            self._metadata = None
        self.recorder.advance(now_ns)
        self.recorder.keep_pace()


def _decision_values(decision: Decision, intervention: bool) -> dict[str, Any]:
    return standard.decision_values(
        source=int(decision.source),
        human=decision.human,
        policy=decision.policy,
        noise=decision.noise,
        requested=decision.requested,
        applied=decision.applied,
        limited=decision.limited,
        intervention=intervention,
        mode=int(decision.mode),
    )
