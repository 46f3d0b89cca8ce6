"""rosbag2: the topics of our graph, through the very recorder that records them live.

Without an arbiter's topics the labels are the commands of `joint_command`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError, MessageError, unknown_choice
from robot_learning.core.profile import RobotProfile, Ros2ControlInterface
from robot_learning.core.turns import TurnRules
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import Column, DatasetInfo, Stream
from robot_learning.episodes.imports.bag import Bag
from robot_learning.episodes.imports.bag_cameras import BagCameras, find_cameras
from robot_learning.episodes.imports.importer import ImportReport, Progress
from robot_learning.episodes.imports.older_streams import COLUMN_TOPICS, OlderMessageStreams
from robot_learning.episodes.imports.replay import BY, CLOCK, Replay, ReplaySettings
from robot_learning.episodes.recording import standard
from robot_learning.episodes.recording.message_streams import MessageStreams, valid_kinds
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.messages.arbiter_state import TOPIC, ArbiterStateMessage


@dataclass(frozen=True)
class RosbagImporter:
    """Reads a bag.

    Attributes:
        profile: profile of the robot whose topics are in the bag.
        rate_hz: rate of the rows.
        task: name of the task in the dataset.
        instruction: task in words.
        namespace: namespace of the topics, such as `/left`; empty for none.
        remap: the bag's topic (`/robot/joints`) for each of ours (`joint_states`) that is called
            otherwise.
        by: what becomes an episode: the `whole` bag, a `demonstration` as `arbiter/state` numbers
            them, or every stretch during which somebody was in `control`.
        lossless: whether uncompressed images are stored as they are, instead of as JPEG.
        skip_broken: whether messages that cannot be read are left out, instead of refusing the bag.
        joint_rate_hz: nominal rate of the joint states; 0 takes the profile's control rate.
        decision_rate_hz: nominal rate of the decisions; 0 takes the profile's control rate.
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
        """Record every episode of the bag.

        Args:
            source: bag to read.
            recorder: takes the rows.
            report: notes what was imported and what was left out.
            progress: called with the messages that are done and the messages in all.
        """
        with Bag(source) as bag:
            cameras = _cameras(self, bag)
            kind = OlderMessageStreams if _has_older_decisions(self, bag) else MessageStreams
            streams = kind(
                recorder,
                cameras.topics,
                turns=TurnRules.of(self.profile),
                command_joints=array_joints(self.profile),
            )
            settings = ReplaySettings(
                topics={self.topic(name): name for name in streams.handlers},
                by=self.by,
                skip_broken=self.skip_broken,
                instruction=self.instruction,
            )
            # Columns that nobody takes say the same as the documents.
            known = {CLOCK, *settings.topics, *map(self.topic, COLUMN_TOPICS)}
            report.notes += _not_taken(self, bag, known, cameras)
            report.left_out.update(
                {f"camera '{name}'": why for name, why in cameras.left_out.items()}
            )
            Replay(bag, recorder, streams, settings, report).run(progress)


def _cameras(options: RosbagImporter, bag: Bag) -> BagCameras:
    return find_cameras(
        bag,
        options.profile.cameras,
        options.topic,
        named=options.remap,
        skip_broken=options.skip_broken,
    )


def _has_older_decisions(options: RosbagImporter, bag: Bag) -> bool:
    """Whether the first document that can be read lacks the columns, which are elsewhere then."""
    for logged in bag.messages({options.topic(TOPIC)}):
        try:
            return ArbiterStateMessage.from_json(bag.read(logged).data).columns is None
        except (EpisodeError, MessageError, AttributeError):
            continue
    return False


def _not_taken(
    options: RosbagImporter, bag: Bag, taken: set[str], cameras: BagCameras
) -> list[str]:
    """What is in the bag and not recorded, and which cameras are not in the bag."""
    notes = []
    others = [topic for topic in bag.topics if topic not in taken]
    if others:
        count = bag.count(set(others))
        notes.append(
            amount(count, "message of other topics was", "messages of other topics were")
            + f" left out: {', '.join(others)}"
        )
    notes += [
        f"no images of the camera '{name}': "
        f"{options.topic(f'{name}/image_raw')} has none, /compressed neither"
        for name in cameras.absent
    ]
    return notes


def array_joints(profile: RobotProfile) -> tuple[str, ...]:
    """The order of a position array that is sent to the robot; see `CommandOutput`."""
    real = profile.real
    if isinstance(real, Ros2ControlInterface) and real.command_type == "position_array":
        return tuple(real.joints)
    return profile.joint_names


def _check_kinds(options: RosbagImporter, bag: Bag, names: Iterable[str]) -> None:
    """Refuse topics whose messages mean something else than their name, or their remapping, says.

    Raises:
        EpisodeError: names the topic, its type, and the valid ones.
    """
    for name in names:
        topic = options.topic(name)
        found, valid = bag.topics.get(topic), valid_kinds(name)
        if found is not None and found not in valid:
            raise EpisodeError(
                f"{bag.path}: {topic} has the type {found}; {name} takes {' or '.join(valid)}"
            )


def _describe(options: RosbagImporter, bag: Bag) -> DatasetInfo:
    profile, topics = options.profile, bag.topics
    if options.topic("joint_states") not in topics:
        raise EpisodeError(
            f"{bag.path}: no topic {options.topic('joint_states')}; it has {', '.join(topics)}"
        )
    prefix = options.topic("poses/")
    poses = [topic.removeprefix(prefix) for topic in topics if topic.startswith(prefix)]
    names = ["joint_states", *(f"poses/{name}" for name in poses)]
    if options.topic(TOPIC) in topics:
        names += [TOPIC, *COLUMN_TOPICS]
    else:
        names.append("joint_command")
    _check_kinds(options, bag, [*names, "task/reward", "task/success"])
    joint_rate_hz = options.joint_rate_hz or profile.control_rate_hz
    streams = [
        standard.joint_stream(profile, joint_rate_hz, sorted(poses)),
        _decisions(options, bag, options.decision_rate_hz or profile.control_rate_hz),
    ]
    if options.topic("task/reward") in topics:
        success = options.topic("task/success") in topics
        streams.append(standard.task_stream(joint_rate_hz, success=success))
    streams += [
        camera.stream(lossless=options.lossless) for camera in _cameras(options, bag).taken.values()
    ]
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
    if options.topic(TOPIC) in bag.topics:
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
