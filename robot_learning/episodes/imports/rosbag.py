"""rosbag2: the topics of our graph, through the very recorder that records them live.

Without an arbiter's topics the labels are the commands of `joint_command`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import simplejpeg

from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.profile import Camera, RobotProfile
from robot_learning.core.turns import TurnRules
from robot_learning.episodes import standard
from robot_learning.episodes.errors import EpisodeError
from robot_learning.episodes.imports.bag import Bag, describe
from robot_learning.episodes.imports.importer import ImportReport, Progress
from robot_learning.episodes.imports.replay import BY, Replay, ReplaySettings
from robot_learning.episodes.message_streams import MessageStreams
from robot_learning.episodes.recorder import Recorder
from robot_learning.episodes.schema import Column, DatasetInfo, Stream


@dataclass(frozen=True)
class RosbagImporter:
    """Reads a bag.

    Attributes:
        profile: of the robot whose topics these are.
        rate_hz: of the rows.
        task: its name in the dataset.
        instruction: the task in words.
        namespace: of the topics, such as `/left`.
        remap: our topic (`joint_states`) -> the bag's (`/robot/joints`).
        by: what an episode is: the `whole` bag, a `demonstration` as `arbiter/state` numbers
            them, or every stretch during which somebody was in `control`.
        lossless: store uncompressed images as they are, instead of as JPEG.
        skip_broken: leave out messages that cannot be read, instead of refusing the bag.
        joint_rate_hz: nominal; 0: the profile's control rate.
        decision_rate_hz: likewise.
    """

    profile: RobotProfile
    rate_hz: float = 50.0
    task: str = "imported"
    instruction: str = ""
    namespace: str = ""
    remap: Mapping[str, str] = field(default_factory=dict)
    by: str = "whole"
    lossless: bool = False
    skip_broken: bool = False
    joint_rate_hz: float = 0.0
    decision_rate_hz: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a division into episodes that there is not.

        Raises:
            ConfigurationError: lists the valid ones.
        """
        if self.by not in BY:
            raise ConfigurationError(unknown_choice("division into episodes", self.by, BY))

    def topic(self, name: str) -> str:
        """The bag's name of one of our topics."""
        return self.remap.get(name, f"/{self.namespace.strip('/')}/{name}".replace("//", "/"))

    def describe(self, source: Path) -> DatasetInfo:
        """From the bag's topics and the first image of each camera; see `Importer`."""
        with Bag(source) as bag:
            return _describe(self, bag)

    def record(
        self, source: Path, recorder: Recorder, report: ImportReport, progress: Progress
    ) -> None:
        """Every episode of the bag; see `Importer`."""
        with Bag(source) as bag:
            streams = MessageStreams(recorder, camera_topics(self, bag), TurnRules.of(self.profile))
            settings = ReplaySettings(
                topics={self.topic(name): name for name in streams.handlers},
                by=self.by,
                skip_broken=self.skip_broken,
                instruction=self.instruction,
            )
            Replay(bag, recorder, streams, settings, report).run(progress)


def _describe(options: RosbagImporter, bag: Bag) -> DatasetInfo:
    profile, topics = options.profile, bag.topics
    if options.topic("joint_states") not in topics:
        raise EpisodeError(
            f"{bag.path}: no topic {options.topic('joint_states')}; it has {', '.join(topics)}"
        )
    prefix = options.topic("poses/")
    poses = [topic.removeprefix(prefix) for topic in topics if topic.startswith(prefix)]
    joint_rate_hz = options.joint_rate_hz or profile.control_rate_hz
    streams = [
        standard.joint_stream(profile, joint_rate_hz, sorted(poses)),
        _decisions(options, bag, options.decision_rate_hz or profile.control_rate_hz),
    ]
    if options.topic("task/reward") in topics:
        success = options.topic("task/success") in topics
        streams.append(standard.task_stream(joint_rate_hz, success=success))
    cameras = {camera.name: camera for camera in profile.cameras}
    for name, topic in camera_topics(options, bag).items():
        camera = _with_size(bag, cameras[name], options.topic(topic))
        raw = options.lossless and not topic.endswith("/compressed")
        streams.append(standard.camera_stream(camera, raw=raw))
    return DatasetInfo(
        robot=profile.name,
        task=options.task,
        rate_hz=options.rate_hz,
        streams=tuple(streams),
        joint_names=profile.joint_names,
        env_args={
            "env_name": options.task,
            "type": 2,
            "env_kwargs": {"robot": profile.name, "task": options.task},
        },
    )


def _decisions(options: RosbagImporter, bag: Bag, rate_hz: float) -> Stream:
    if options.topic("arbiter/state") in bag.topics:
        return standard.decision_stream(options.profile, rate_hz)
    command = options.topic("joint_command")
    if command not in bag.topics:
        raise EpisodeError(
            f"{bag.path}: neither {options.topic('arbiter/state')} nor {command}, so nothing "
            "says what the actions were"
        )
    if options.by != "whole":
        raise EpisodeError(
            f"{bag.path}: no {options.topic('arbiter/state')}, so nothing says where episodes "
            "begin; import the whole bag"
        )
    names = options.profile.joint_names
    actions = Column("actions", (len(names),), unit="rad or m", names=names)
    max_age_s = standard.max_age_s(rate_hz)
    return Stream(standard.DECISION, rate_hz, max_age_s, (actions,))


def camera_topics(options: RosbagImporter, bag: Bag) -> dict[str, str]:
    """Camera -> the relative topic of its images; compressed where there are both."""
    found: dict[str, str] = {}
    for camera in options.profile.cameras:
        for name in (f"{camera.name}/image_raw", f"{camera.name}/image_raw/compressed"):
            if bag.count({options.topic(name)}):
                found[camera.name] = name
    return found


def _with_size(bag: Bag, camera: Camera, topic: str) -> Camera:
    """The camera with the size of the images that the bag holds."""
    first = next(bag.messages({topic}))
    image = bag.read(first)
    if not topic.endswith("/compressed"):
        return replace(camera, width_px=int(image.width), height_px=int(image.height))
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(image.data.tobytes())
    except ValueError as problem:
        raise EpisodeError(
            f"{bag.path}: {describe(first)} is no JPEG image (its format is '{image.format}'): "
            f"{problem}"
        ) from problem
    return replace(camera, width_px=width, height_px=height)
