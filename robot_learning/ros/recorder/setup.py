"""What `recorder_node` records with which settings, from its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.options.quality import QualityOptions
from robot_learning.core.profile import Camera, RobotProfile
from robot_learning.episodes.format.quality import QualityThresholds
from robot_learning.episodes.format.schema import DatasetInfo, Stream
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import (
    INFO_NAME,
    DatasetFolder,
    refuse_other_things,
)
from robot_learning.nodes.recorder import RecorderNodeSettings

ALL, NONE = "all", "none"
_MIB = 2**20


def chosen_cameras(profile: RobotProfile, names: Sequence[str]) -> tuple[Camera, ...]:
    """The profile's cameras of these names; `all` stands for every one, `none` for no camera.

    Raises:
        ConfigurationError: an unknown name; lists the valid ones.
    """
    known = {camera.name: camera for camera in profile.cameras}
    if list(names) == [ALL]:
        return profile.cameras
    if list(names) == [NONE]:
        return ()
    for name in names:
        if name not in known:
            text = unknown_choice("camera", name, [*known, ALL, NONE])
            raise ConfigurationError(f"parameter 'cameras': {text}")
    return tuple(known[name] for name in names)


def pose_names(profile: RobotProfile, task: str, simulated: bool) -> tuple[str, ...]:
    """The poses that a simulated robot publishes: end effectors, then the task's objects.

    Args:
        profile: the robot.
        task: name of the task, whose objects are observed.
        simulated: whether the robot is simulated; a real one publishes no poses.

    Raises:
        ConfigurationError: no such task.
    """
    if not simulated:
        return ()
    from robot_learning.sim.tasks import make_task

    return (*(arm.end_effector_name for arm in profile.arms), *make_task(task).objects)


def dataset_info(
    profile: RobotProfile, settings: RecorderNodeSettings, poses: Sequence[str]
) -> DatasetInfo:
    """What the recordings hold.

    Args:
        profile: the robot.
        settings: settings of the node.
        poses: names of the recorded poses.

    Raises:
        ConfigurationError: an unknown camera, or images that cannot be stored as asked.
    """
    lossless = settings.image_storage == "lossless"
    if lossless and settings.image_transport != "raw":
        text = "image_storage 'lossless' needs image_transport 'raw': JPEG has lost already"
        raise ConfigurationError(text)
    joint_rate_hz = settings.joint_rate_hz or profile.control_rate_hz
    streams: list[Stream] = [
        standard.joint_stream(profile, joint_rate_hz, poses),
        standard.decision_stream(profile, settings.decision_rate_hz or profile.control_rate_hz),
    ]
    if settings.simulated:
        streams.append(standard.task_stream(joint_rate_hz, success=True))
    cameras = chosen_cameras(profile, settings.cameras)
    streams += [standard.camera_stream(camera, raw=lossless) for camera in cameras]
    floor_s = settings.age_floor_s
    return DatasetInfo(
        robot=profile.name,
        task=settings.task,
        rate_hz=settings.rate_hz,
        streams=tuple(replace(s, max_age_s=max(s.max_age_s, floor_s)) for s in streams),
        joint_names=profile.joint_names,
        env_args={
            "env_name": settings.task,
            "type": 2,
            "env_kwargs": {"robot": profile.name, "task": settings.task},
        },
    )


def open_dataset(settings: RecorderNodeSettings, info: DatasetInfo) -> DatasetFolder:
    """The folder to record into, made when it is not there.

    Raises:
        ConfigurationError: none is named.
        DatasetError: there are recordings and `resume` is false, or they are of another robot or
            have other features.
    """
    if not settings.dataset:
        raise ConfigurationError("parameter 'dataset': name the folder to record into")
    path = Path(settings.dataset).expanduser()
    refuse_other_things(path)
    if settings.as_before and (path / INFO_NAME).exists():
        info = _as_before(info, DatasetFolder(path).info)
    folder = DatasetFolder.create_or_open(path, info)
    if not settings.resume:
        folder.refuse_episodes()
    return folder


def _as_before(info: DatasetInfo, existing: DatasetInfo) -> DatasetInfo:
    """The streams of `info` as `existing` describes them, where both hold the same columns.

    Whether a task is solved is stored where `existing` stores it.
    """
    before = {stream.name: stream for stream in existing.streams}

    def known(stream: Stream) -> Stream:
        other = before.get(stream.name, stream)
        differing = {column.path for column in {*stream.columns} ^ {*other.columns}}
        return other if differing <= {standard.SUCCESS} else stream

    return replace(info, streams=tuple(known(stream) for stream in info.streams))


def writer_settings(settings: RecorderNodeSettings) -> WriterSettings:
    """How episodes are written."""
    return WriterSettings(
        jpeg_quality=settings.jpeg_quality,
        queue_bytes=settings.queue_mib * _MIB,
        flush_interval_s=settings.flush_interval_s,
        min_free_bytes=settings.min_free_mib * _MIB,
    )


def quality_thresholds(settings: QualityOptions) -> QualityThresholds:
    """When an episode is called bad."""
    return QualityThresholds(**asdict(settings))
