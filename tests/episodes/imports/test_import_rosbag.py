"""Bags: the same messages give the same rows, read from a bag or taken live."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.profile import RobotProfile
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.imports.importer import import_dataset
from robot_learning.episodes.imports.rosbag import RosbagImporter
from robot_learning.episodes.recording.message_streams import MessageStreams
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage

highlevel = pytest.importorskip("rosbags.highlevel")
rosbag2 = pytest.importorskip("rosbags.rosbag2")
typesys = pytest.importorskip("rosbags.typesys")

STORE = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
START_NS = 1_700_000_000 * NS_PER_S
MS = 1_000_000
HEIGHT, WIDTH = 24, 32
CAMERA_INFO = {"front": True, "wrist": False}  # whether it is compressed


def make(kind: str, **fields: Any) -> Any:
    return STORE.types[kind](**fields)


def header(stamp_ns: int) -> Any:
    stamp = make(
        "builtin_interfaces/msg/Time", sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S
    )
    return make("std_msgs/msg/Header", stamp=stamp, frame_id="")


def joint_state(stamp_ns: int, names: tuple[str, ...], position: np.ndarray, velocity=()) -> Any:
    return make(
        "sensor_msgs/msg/JointState",
        header=header(stamp_ns),
        name=list(names),
        position=np.ascontiguousarray(position, float),
        velocity=np.ascontiguousarray(velocity, float),
        effort=np.zeros(0),
    )


def frame(index: int) -> np.ndarray:
    pixels = np.full((HEIGHT, WIDTH, 3), index % 25 * 10, np.uint8)
    pixels[:, :, 1] = np.linspace(0, 200, WIDTH, dtype=np.uint8)
    return pixels


@dataclass(order=True)
class Logged:
    receive_ns: int
    order: int
    topic: str = field(compare=False)
    kind: str = field(compare=False)
    message: Any = field(compare=False)


def graph_messages(
    profile: RobotProfile, seconds: float = 1.2, clock: bool = False, older: bool = False
) -> list[Logged]:
    """What a graph would publish, with latencies; reversed joint names, one lost decision.

    In an `older` one documents have no columns: these are on topics of their own alone.
    """
    rng, names = np.random.default_rng(7), profile.joint_names
    reverse = tuple(reversed(names))
    found: list[Logged] = []

    def add(receive_ns: int, topic: str, kind: str, message: Any) -> None:
        found.append(Logged(receive_ns, len(found), topic, kind, message))

    for tick in range(round(seconds * 100)):
        stamp = START_NS + tick * 10 * MS
        position = rng.normal(size=len(names))
        state = joint_state(stamp, reverse, position[::-1], position[::-1] * 2)
        add(
            stamp + int(rng.integers(1, 8)) * MS,
            "/joint_states",
            "sensor_msgs/msg/JointState",
            state,
        )
        columns = position + np.arange(len(COLUMNS))[:, np.newaxis]
        for name, values in zip(COLUMNS, columns, strict=True):
            if tick == 40 and name == "noise":
                continue
            message = joint_state(stamp, names, values)
            add(stamp + 2 * MS, f"/arbiter/{name}", "sensor_msgs/msg/JointState", message)
        driver = "HUMAN" if 30 <= tick < 80 else "POLICY"
        decision = ArbiterStateMessage(
            stamp_ns=stamp,
            mode=Mode[driver],
            source=Source[driver],
            joints=reverse,
            columns=columns[:, ::-1],
            limited=np.arange(len(names), dtype=np.uint8)[::-1],
            episode=tick // 50 if tick % 50 < 45 else None,
        )
        document = json.loads(decision.to_json())
        if older:
            for key in ("joints", "columns"):
                del document[key]
            document["limited"].reverse()
        if older or tick != 40:
            text = make("std_msgs/msg/String", data=json.dumps(document))
            add(stamp + 2 * MS, "/arbiter/state", "std_msgs/msg/String", text)
        reward = make("std_msgs/msg/Float64", data=float(tick))
        add(stamp + 3 * MS, "/task/reward", "std_msgs/msg/Float64", reward)
        if tick == 100:
            solved = make("std_msgs/msg/Bool", data=True)
            add(stamp + 3 * MS, "/task/success", "std_msgs/msg/Bool", solved)
        if tick % 3 == 0:
            jpeg = np.frombuffer(encode_jpeg(frame(tick), 90), np.uint8)
            message = make(
                "sensor_msgs/msg/CompressedImage", header=header(stamp), format="jpeg", data=jpeg
            )
            topic, kind = "/front/image_raw/compressed", "sensor_msgs/msg/CompressedImage"
            add(stamp + 9 * MS, topic, kind, message)
            message = make(
                "sensor_msgs/msg/Image",
                header=header(stamp),
                height=HEIGHT,
                width=WIDTH,
                encoding="bgr8",
                is_bigendian=0,
                step=3 * WIDTH,
                data=frame(tick)[:, :, ::-1].reshape(-1).copy(),
            )
            add(stamp + 12 * MS, "/wrist/image_raw", "sensor_msgs/msg/Image", message)
        if clock:
            time = header(stamp - START_NS).stamp
            add(
                stamp,
                "/clock",
                "rosgraph_msgs/msg/Clock",
                make("rosgraph_msgs/msg/Clock", clock=time),
            )
    return sorted(found)


def write_bag(
    path: Path, messages: list[Logged], storage: str = "mcap", broken: tuple[str, int] | None = None
) -> Path:
    """`broken`: the message of this topic and number is cut off in its middle."""
    plugin = rosbag2.StoragePlugin.MCAP if storage == "mcap" else rosbag2.StoragePlugin.SQLITE3
    counts: dict[str, int] = {}
    with rosbag2.Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for item in messages:
            if item.topic not in connections:
                connections[item.topic] = writer.add_connection(
                    item.topic, item.kind, typestore=STORE
                )
            data = bytes(STORE.serialize_cdr(item.message, item.kind))
            if (item.topic, counts.setdefault(item.topic, 0)) == broken:
                data = data[: len(data) // 2]
            counts[item.topic] += 1
            writer.write(connections[item.topic], item.receive_ns, data)
    return path


@pytest.fixture(scope="module")
def profile() -> RobotProfile:
    return load_profile("desk_arm")


@pytest.fixture
def importer(profile: RobotProfile) -> RosbagImporter:
    return RosbagImporter(profile, task="lift")


def record_live(messages: list[Logged], path: Path, like: Dataset) -> Dataset:
    """The same messages taken as a node takes them: polled, and rows made afterwards."""
    recorder = Recorder(
        DatasetFolder.create_or_open(path, like.info),
        settings=WriterSettings(min_free_bytes=0, sync=False),
    )
    topics = {"front": "front/image_raw/compressed", "wrist": "wrist/image_raw"}
    streams = MessageStreams(recorder, topics)
    first_ns = int(like.array("tick_ns")[0])
    polls = [*range(START_NS, first_ns, 5 * MS), first_ns]
    polls += [*range(first_ns + 3 * MS, messages[-1].receive_ns, 7 * MS), messages[-1].receive_ns]
    waiting: Iterator[Logged] = iter(messages)
    head = next(waiting, None)
    with recorder.folder.lock():
        for now_ns in polls:
            while head is not None and head.receive_ns <= now_ns:
                # A recorder listens to no columns: the documents have them.
                if handler := streams.handlers.get(head.topic.lstrip("/")):
                    handler(head.message, head.receive_ns)
                head = next(waiting, None)
            if now_ns == first_ns:
                recorder.start(EpisodeMetadata(), now_ns)
            recorder.advance(now_ns)
        recorder.stop()
    return Dataset(path)


def all_columns(dataset: Dataset) -> dict[str, np.ndarray]:
    paths = [c.path for c in dataset.info.columns if not c.is_image]
    paths += ["tick_ns", "invalid"]
    for stream in dataset.info.streams:
        paths += [f"streams/{stream.name}/{name}" for name in ("stamp_ns", "receive_ns", "age_ns")]
    found = {path: dataset.array(path) for path in paths}
    for column in (c for c in dataset.info.columns if c.is_image):
        frames = []
        for summary in dataset.episodes:
            episode = dataset.episode(summary.name)
            frames += [episode.frame(column.path, row) for row in range(episode.rows)]
        found[column.path] = np.stack(frames)
    return found


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_gives_the_rows_of_a_live_recording(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter, storage: str
) -> None:
    messages = graph_messages(profile)
    bag = write_bag(tmp_path / "bag", messages, storage)
    report = import_dataset(bag, tmp_path / "imported", importer)
    imported = Dataset(tmp_path / "imported")
    live = record_live(messages, tmp_path / "live", imported)
    columns, expected = all_columns(imported), all_columns(live)
    assert columns.keys() == expected.keys()
    assert report.rows == imported.rows >= 50
    for path, rows in expected.items():
        np.testing.assert_array_equal(columns[path], rows, err_msg=path)
    # What the graph published is really in there.
    assert columns["intervention"].any() and not columns["intervention"].all()
    assert columns["rewards"].max() > 100
    assert columns["images/front"].shape[1:] == (HEIGHT, WIDTH, 3)
    assert np.isnan(columns["obs/joint_effort"]).all()
    assert columns["control/limited"][0].tolist() == list(range(7))
    assert report.notes == []
    assert verify_dataset(DatasetFolder(tmp_path / "imported")) == []


def test_a_bag_of_an_older_version_gives_the_same_rows(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    found = []
    for older in (True, False):
        messages = graph_messages(profile, older=older)
        bag = write_bag(tmp_path / f"bag{older}", messages)
        report = import_dataset(bag, tmp_path / f"set{older}", importer)
        assert report.notes == []
        found.append(all_columns(Dataset(tmp_path / f"set{older}")))
    older_columns, columns = found
    assert older_columns.keys() == columns.keys()
    for path, rows in columns.items():
        np.testing.assert_array_equal(older_columns[path], rows, err_msg=path)


def test_columns_that_never_come_together_are_named(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    messages = [
        item for item in graph_messages(profile, older=True) if item.topic != "/arbiter/noise"
    ]
    bag = write_bag(tmp_path / "bag", messages)
    with pytest.raises(DatasetError, match=r"decision .*noise never came"):
        import_dataset(bag, tmp_path / "imported", importer)


def test_an_imported_episode_says_where_it_came_from(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    bag = write_bag(tmp_path / "bag", graph_messages(profile))
    import_dataset(bag, tmp_path / "imported", replace(importer, instruction="lift the cube"))
    dataset = Dataset(tmp_path / "imported")
    (summary,) = dataset.episodes
    metadata = dataset.episode(summary.name).metadata
    assert metadata.notes["imported_from"] == "rosbag2"
    assert metadata.notes["imported_file"] == "bag"
    assert "receipts are when they were logged" in metadata.notes["stamps"]
    assert metadata.started_utc.startswith("2023-11-14T22:13:20")
    assert (summary.instruction, summary.outcome) == ("lift the cube", "success")


def test_simulated_time_is_the_clock_of_the_bag(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    messages = graph_messages(profile, clock=True)
    for item in messages:
        stamped = getattr(item.message, "header", None)
        if stamped is not None:
            stamped.stamp.sec -= START_NS // NS_PER_S
        if item.topic == "/arbiter/state":
            document = json.loads(item.message.data)
            document["stamp_ns"] -= START_NS
            item.message = make("std_msgs/msg/String", data=json.dumps(document))
    bag = write_bag(tmp_path / "bag", messages)
    import_dataset(bag, tmp_path / "imported", importer)
    dataset = Dataset(tmp_path / "imported")
    assert dataset.array("tick_ns").max() < 2 * NS_PER_S
    assert (dataset.array("invalid") == 0).mean() > 0.9


def test_demonstrations_are_episodes_of_their_own(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    bag = write_bag(tmp_path / "bag", graph_messages(profile))
    report = import_dataset(bag, tmp_path / "imported", replace(importer, by="demonstration"))
    dataset = Dataset(tmp_path / "imported")
    assert len(report.episodes) == 3
    ticks = dataset.array("tick_ns") - START_NS
    # None between the demonstrations: rows 450 to 500 ms and 950 to 1000 ms belong to none.
    assert not ((ticks > 455 * MS) & (ticks < 500 * MS)).any()
    items = [dataset.episode(s.name).metadata.notes["imported_item"] for s in dataset.episodes]
    assert items == ["demonstration 0", "demonstration 1", "demonstration 2"]


def test_a_broken_message_is_named_and_can_be_skipped(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    bag = write_bag(tmp_path / "bag", graph_messages(profile), broken=("/joint_states", 17))
    with pytest.raises(EpisodeError, match=r"message 17 of /joint_states cannot be read"):
        import_dataset(bag, tmp_path / "imported", importer)
    assert not (tmp_path / "imported").exists()
    report = import_dataset(bag, tmp_path / "imported", replace(importer, skip_broken=True))
    assert list(report.left_out) == ["1 message of /joint_states"]
    assert (
        "message 17 of /joint_states cannot be read"
        in report.left_out["1 message of /joint_states"]
    )
    assert report.rows >= 50


def test_commands_are_the_labels_of_a_graph_without_arbiter(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    names = profile.joint_names
    messages = [m for m in graph_messages(profile, 0.8) if m.topic == "/joint_states"]
    kind, point = "trajectory_msgs/msg/JointTrajectory", "trajectory_msgs/msg/JointTrajectoryPoint"
    nothing = np.zeros(0)
    for index in range(80):
        receive_ns = START_NS + index * 10 * MS
        time = make("builtin_interfaces/msg/Duration", sec=0, nanosec=0)
        points = [
            make(
                point,
                positions=np.full(len(names), index / 100),
                velocities=nothing,
                accelerations=nothing,
                effort=nothing,
                time_from_start=time,
            )
        ]
        message = make(kind, header=header(0), joint_names=list(names), points=points)
        messages.append(Logged(receive_ns, -1, "/robot/command", kind, message))
    bag = write_bag(tmp_path / "bag", sorted(messages))
    remapped = replace(importer, remap={"joint_command": "/robot/command"})
    import_dataset(bag, tmp_path / "imported", remapped)
    dataset = Dataset(tmp_path / "imported")
    actions = dataset.array("actions")
    ticks = dataset.array("tick_ns") - START_NS
    np.testing.assert_allclose(actions[:, 0], ticks // (10 * MS) / 100, rtol=1e-6)
    with pytest.raises(EpisodeError, match="import the whole bag"):
        import_dataset(bag, tmp_path / "other", replace(remapped, by="control"))


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda path: path.write_bytes(b"not a bag"), "no bag that can be read"),
        (lambda path: path.mkdir(), "no bag that can be read"),
    ],
)
def test_what_is_no_bag_is_refused(
    tmp_path: Path, importer: RosbagImporter, prepare: Callable[[Path], Any], says: str
) -> None:
    prepare(tmp_path / "bag.mcap")
    with pytest.raises(EpisodeError, match=says):
        import_dataset(tmp_path / "bag.mcap", tmp_path / "imported", importer)
    assert not (tmp_path / "imported").exists()


def test_damage_in_the_middle_of_a_bag_is_an_error(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    path = write_bag(tmp_path / "bag", graph_messages(profile, 0.5))
    (mcap,) = path.glob("*.mcap")
    data = bytearray(mcap.read_bytes())
    rng = np.random.default_rng(3)
    for number in range(12):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 40):
            damaged[place] ^= int(rng.integers(1, 256))
        mcap.write_bytes(bytes(damaged))
        try:
            import_dataset(path, tmp_path / f"imported{number}", importer)
        except (EpisodeError, DatasetError, ConfigurationError):
            continue
        assert verify_dataset(DatasetFolder(tmp_path / f"imported{number}")) == []


def test_topics_that_are_missing_are_named(
    tmp_path: Path, profile: RobotProfile, importer: RosbagImporter
) -> None:
    messages = graph_messages(profile, 0.3)
    bag = write_bag(tmp_path / "bag", messages)
    with pytest.raises(EpisodeError, match=r"no topic /left/joint_states; it has .*/joint_states"):
        import_dataset(bag, tmp_path / "imported", replace(importer, namespace="/left"))
    some = [m for m in messages if m.topic != "/arbiter/state"]
    bag = write_bag(tmp_path / "other", some)
    with pytest.raises(EpisodeError, match=r"neither /arbiter/state nor /joint_command"):
        import_dataset(bag, tmp_path / "imported", importer)
    with pytest.raises(ConfigurationError, match="unknown division"):
        replace(importer, by="wholes")
