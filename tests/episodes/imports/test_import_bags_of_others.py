"""Bags as other graphs record them: taken, or one line that names what is wrong and valid."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.profile_loader import load_profile
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.errors import DatasetError, EpisodeError
from robot_learning.episodes.imports.importer import ImportReport, import_dataset
from robot_learning.episodes.imports.rosbag import RosbagImporter

rosbag2 = pytest.importorskip("rosbags.rosbag2")
typesys = pytest.importorskip("rosbags.typesys")

STORE = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
START_NS, MS = 1_700_000_000 * NS_PER_S, 1_000_000
PROFILE = replace(load_profile("desk_arm"), cameras=load_profile("desk_arm").cameras[:1])
NAMES = PROFILE.joint_names
N = len(NAMES)
JOINTS, COMMAND = "sensor_msgs/msg/JointState", "trajectory_msgs/msg/JointTrajectory"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
IMAGE, ARRAY = "sensor_msgs/msg/Image", "std_msgs/msg/Float64MultiArray"
Message = tuple[str, str, Any]
Tick = Callable[[float, int], list[Message]]


def header(ns: int) -> Any:
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=ns // NS_PER_S, nanosec=ns % NS_PER_S)
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id="")


def joints(ns: int, names=NAMES, value: float = 0.1) -> Message:
    nothing = np.zeros(0)
    state = STORE.types[JOINTS](
        header(ns), list(names), np.full(len(names), value), nothing, nothing
    )
    return "/joint_states", JOINTS, state


def command(points: Mapping[float, float], names=NAMES) -> Message:
    nothing = np.zeros(0)
    made = [
        STORE.types["trajectory_msgs/msg/JointTrajectoryPoint"](
            positions=np.full(len(names), value),
            velocities=nothing,
            accelerations=nothing,
            effort=nothing,
            time_from_start=STORE.types["builtin_interfaces/msg/Duration"](
                sec=int(at_s), nanosec=round(at_s % 1 * NS_PER_S)
            ),
        )
        for at_s, value in points.items()
    ]
    return "/joint_command", COMMAND, STORE.types[COMMAND](header(0), list(names), made)


def position_array(values: np.ndarray) -> Message:
    layout = STORE.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
    return "/joint_command", ARRAY, STORE.types[ARRAY](layout, values)


def image(ns: int, encoding: str, channels: int, dtype: str = "u1") -> Message:
    data = np.full((4, 6, channels), 9, dtype).view(np.uint8).reshape(-1)
    made = STORE.types[IMAGE](header(ns), 4, 6, encoding, 0, len(data) // 4, data)
    return "/front/image_raw", IMAGE, made


def png(ns: int, form: str, pixels: np.ndarray) -> Message:
    kind = {1: "gray", 3: "rgb24"}[pixels.shape[2]] if pixels.dtype == np.uint8 else "gray16be"
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = pixels.shape[1], pixels.shape[0], kind
    encoder.time_base = Fraction(1, 30)
    flat = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    (packet,) = encoder.encode(av.VideoFrame.from_ndarray(flat, kind))
    return compressed(ns, form, np.frombuffer(bytes(packet), np.uint8))


def compressed(ns: int, form: str, data: np.ndarray) -> Message:
    return (
        "/front/image_raw/compressed",
        COMPRESSED,
        STORE.types[COMPRESSED](header(ns), form, data),
    )


def write(path: Path, tick: Tick, storage: str = "MCAP", ticks: int = 100) -> Path:
    plugin = rosbag2.StoragePlugin[storage]
    with rosbag2.Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[tuple[str, str], Any] = {}
        for index in range(ticks):
            ns = START_NS + index * 10 * MS
            for order, (topic, kind, made) in enumerate(tick(index / 100, ns)):
                if (topic, kind) not in connections:
                    connections[topic, kind] = writer.add_connection(topic, kind, typestore=STORE)
                data = bytes(STORE.serialize_cdr(made, kind))
                writer.write(connections[topic, kind], ns + order * 1000, data)
    return path


def run(path: Path, **options: Any) -> tuple[ImportReport, Dataset]:
    out = path.parent / f"{path.name}_out"
    report = import_dataset(path, out, RosbagImporter(PROFILE, **options))
    return report, Dataset(out)


def plain(t: float, ns: int) -> list[Message]:
    return [joints(ns, value=t), command({0.01: t})]


def test_arm_and_gripper_in_two_messages_are_one_robot(tmp_path: Path) -> None:
    def split(t: float, ns: int) -> list[Message]:
        arm, grip = joints(ns, NAMES[:-1], t), joints(ns + 2 * MS, NAMES[-1:], 0.01 + t / 100)
        return [arm, command({0.01: t}), grip]

    report, dataset = run(write(tmp_path / "split", split))
    assert report.rows >= 48 and report.invalid_rows == 0
    position = dataset.array("obs/joint_position")
    np.testing.assert_allclose(position[:, -1], 0.01 + position[:, 0] / 100, atol=2e-4)
    # As old as the oldest: the arm's stamp, which is that of the tick.
    assert (dataset.array("streams/joint_states/age_ns") <= 20 * MS).all()


def test_a_gripper_that_falls_silent_makes_the_rows_invalid(tmp_path: Path) -> None:
    def split(t: float, ns: int) -> list[Message]:
        grip = [joints(ns, NAMES[-1:])] if t < 0.3 else []
        return [*grip, joints(ns, NAMES[:-1]), command({0.01: t})]

    _, dataset = run(write(tmp_path / "silent", split))
    valid = dataset.array("invalid") == 0
    assert valid[:10].all() and not valid[-25:].any()


def test_a_row_s_label_is_the_trajectory_at_its_time(tmp_path: Path) -> None:
    def sparse(t: float, ns: int) -> list[Message]:
        trajectory = command({0.0: t, 0.25: t + 0.25, 0.5: t + 0.5})
        return [joints(ns), *([trajectory] if round(t * 100) % 50 == 0 else [])]

    report, dataset = run(write(tmp_path / "points", sparse))
    assert report.rows >= 48 and report.invalid_rows == 0
    time_s = (dataset.array("tick_ns") - START_NS) / NS_PER_S
    np.testing.assert_allclose(dataset.array("actions")[:, 0], time_s, atol=2e-5)
    assert dataset.episodes[0].verdict == "good"


def test_the_last_point_of_a_trajectory_grows_old(tmp_path: Path) -> None:
    def once(t: float, ns: int) -> list[Message]:
        return [joints(ns), *([command({0.0: 0.0, 0.3: 0.3})] if t == 0.0 else [])]

    _, dataset = run(write(tmp_path / "once", once))
    valid = dataset.array("invalid") == 0
    assert valid[:15].all() and not valid[-20:].any()


def test_position_arrays_are_commands_too(tmp_path: Path) -> None:
    def arrays(t: float, ns: int) -> list[Message]:
        return [joints(ns), position_array(0.1 * np.arange(N) + 0.01 * t)]

    _, dataset = run(write(tmp_path / "arrays", arrays))
    np.testing.assert_allclose(
        dataset.array("actions")[5] - dataset.array("actions")[5][0], 0.1 * np.arange(N), atol=1e-6
    )


@pytest.mark.parametrize(
    ("tick", "says"),
    [
        (
            lambda t, ns: [joints(ns), command({0.01: t}, NAMES[:-1])],
            r"decision \(100 messages refused, the last: joint_command: missing joint gripper",
        ),
        (
            lambda t, ns: [joints(ns), position_array(np.zeros(3))],
            r"100 messages refused, the last: joint_command: 3 numbers; expected one for each of",
        ),
        (
            lambda t, ns: [joints(ns, NAMES[:-1]), command({0.01: t})],
            r"joint_states \(100 messages not enough: joint state lacks gripper; it has shoulder",
        ),
        (
            lambda t, ns: [joints(0), command({0.01: t})],
            r"joint_states \(.*no time was set in its stamps\)",
        ),
        (
            lambda t, ns: [joints(ns - START_NS + NS_PER_S), command({0.01: t})],
            r"stamped \d+\.000 s before it was received \(of another clock\? .*/clock\)",
        ),
        (
            lambda t, ns: [joints(ns), command({0.0: t, 0.1: np.nan})],
            r"100 messages refused, .*not finite: point 1 asks nan of joint",
        ),
        (
            lambda t, ns: [joints(ns), command({})],
            r"100 messages refused, .*the trajectory has no points",
        ),
        (
            lambda t, ns: [("/joint_states", ARRAY, position_array(np.zeros(N))[2])],
            r"/joint_states has the type std_msgs/msg/Float64MultiArray; joint_states takes "
            "sensor_msgs/msg/JointState",
        ),
        (
            lambda t, ns: [joints(ns), ("/joint_command", JOINTS, joints(ns)[2])],
            r"/joint_command has the type sensor_msgs/msg/JointState; joint_command takes "
            "trajectory_msgs/msg/JointTrajectory or std_msgs/msg/Float64MultiArray",
        ),
    ],
)
def test_what_cannot_be_taken_is_one_line_with_count_and_reason(
    tmp_path: Path, tick: Tick, says: str
) -> None:
    with pytest.raises((EpisodeError, DatasetError), match=says) as caught:
        run(write(tmp_path / "bag", tick))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("camera", "says"),
    [
        (
            lambda ns: image(ns, "8UC3", 3),
            r"message 0 of /front/image_raw, sensor_msgs/msg/Image: image encoding '8UC3', which "
            r"does not say the order of its channels; a camera takes .*rgb8",
        ),
        (
            lambda ns: image(ns, "32SC1", 1, "<i4"),
            r"message 0 of /front/image_raw, .*image encoding '32SC1'; a camera takes 8UC1, bayer",
        ),
        (
            lambda ns: compressed(ns, "rgb8; webp compressed", np.arange(64, dtype=np.uint8)),
            r"message 0 of /front/image_raw/compressed, .*its format is 'rgb8; webp compressed'; "
            "a camera takes jpeg, and png",
        ),
        (
            lambda ns: png(ns, "png", np.ones((4, 6, 1), np.uint16)),
            r"message 0 of /front/image_raw/compressed, .*16 bits whose format 'png' does not say",
        ),
        (
            lambda ns: image(0, "rgb8", 3),
            r"message 0 of /front/image_raw, sensor_msgs/msg/Image: no time is set in its stamp",
        ),
        (
            lambda ns: ("/front/image_raw", JOINTS, joints(ns)[2]),
            r"/front/image_raw has the type sensor_msgs/msg/JointState; front/image_raw takes "
            "sensor_msgs/msg/Image",
        ),
    ],
)
def test_a_camera_that_cannot_be_taken_is_left_out_unless_it_was_named(
    tmp_path: Path, camera: Callable[[int], Message], says: str
) -> None:
    path = write(tmp_path / "bag", lambda t, ns: [*plain(t, ns), camera(ns)])
    report, dataset = run(path)
    assert report.rows >= 48 and report.invalid_rows == 0
    assert not any(column.is_image for column in dataset.info.columns)
    ((item, why),) = report.left_out.items()
    assert item == "camera 'front'" and re.match(says, why) and "\n" not in why
    topic = camera(START_NS)[0]
    named = {topic.removeprefix("/"): topic}
    with pytest.raises(EpisodeError, match=f"{says}.*everything else is imported") as caught:
        import_dataset(path, tmp_path / "named", RosbagImporter(PROFILE, remap=named))
    assert "\n" not in str(caught.value)


def test_an_image_that_can_be_taken_is_preferred_to_one_that_cannot(tmp_path: Path) -> None:
    def both(t: float, ns: int) -> list[Message]:
        nothing = compressed(ns, "h264", np.zeros(9, np.uint8))
        return [*plain(t, ns), nothing, image(ns, "bgr8", 3)]

    _, dataset = run(write(tmp_path / "both", both))
    assert dataset.info.column("images/front").shape == (4, 6, 3)


def test_a_first_image_that_is_cut_off_does_not_cost_the_camera(tmp_path: Path) -> None:
    def late(t: float, ns: int) -> list[Message]:
        cut = compressed(ns, "jpeg", np.zeros(0, np.uint8))
        pixels = np.full((4, 6, 3), 9, np.uint8)
        return [*plain(t, ns), cut if t < 0.045 else png(ns, "bgr8; png compressed", pixels)]

    report, dataset = run(write(tmp_path / "late", late))
    assert dataset.info.column("images/front").shape == (4, 6, 3)
    assert report.invalid_rows == 0
    assert any(note.startswith("5 messages for front were refused") for note in report.notes)


@pytest.mark.parametrize(
    ("form", "pixels", "shape"),
    [
        ("rgb8; png compressed bgr8", np.full((4, 6, 3), (200, 100, 50), np.uint8), (4, 6, 3)),
        ("png", np.full((4, 6, 1), 70, np.uint8), (4, 6, 3)),
        ("mono16; png compressed mono16", np.full((4, 6, 1), 70 * 257, np.uint16), (4, 6, 3)),
        ("16UC1; png compressed ", np.full((4, 6, 1), 1500, np.uint16), (4, 6, 1)),
    ],
)
def test_png_is_taken_as_colour_grey_or_depth(
    tmp_path: Path, form: str, pixels: np.ndarray, shape: tuple[int, ...]
) -> None:
    path = write(tmp_path / "png", lambda t, ns: [*plain(t, ns), png(ns, form, pixels)])
    report, dataset = run(path, lossless=True)
    assert dataset.info.column("obs/front").shape == shape and report.invalid_rows == 0
    found = dataset.episode(dataset.episodes[0].name).frame("obs/front", 3)
    wanted = pixels if "16UC1" in form or pixels.dtype == np.uint8 else pixels // 257
    np.testing.assert_array_equal(found, np.broadcast_to(wanted, shape))


def test_a_damaged_png_is_refused_and_counted(tmp_path: Path) -> None:
    def damaged(t: float, ns: int) -> list[Message]:
        topic, kind, whole = png(ns, "png", np.full((4, 6, 3), 9, np.uint8))
        if 0.3 < t < 0.5:
            whole = replace(whole, data=whole.data[:36])
        elif t > 0.8:
            whole = png(ns, "png", np.full((8, 6, 3), 9, np.uint8))[2]
        return [*plain(t, ns), (topic, kind, whole)]

    report, _ = run(write(tmp_path / "bag", damaged))
    refused = [note for note in report.notes if "for front were refused" in note]
    assert len(refused) == 1 and refused[0].endswith("the image is 6x8, expected 6x4")
    assert report.invalid_rows > 0


def test_images_of_a_second_encoding_are_counted(tmp_path: Path) -> None:
    def two(t: float, ns: int) -> list[Message]:
        return [*plain(t, ns), image(ns, "bgra8", 4) if t < 0.5 else image(ns, "8UC3", 3)]

    report, dataset = run(write(tmp_path / "two", two), lossless=True)
    assert dataset.info.column("obs/front").shape == (4, 6, 3)
    assert any(re.match("50 messages for front were refused, .*8UC3", n) for n in report.notes)


def test_depth_of_a_camera_is_recorded_as_depth(tmp_path: Path) -> None:
    def deep(t: float, ns: int) -> list[Message]:
        return [*plain(t, ns), image(ns, "16UC1", 1, "<u2")]

    _, dataset = run(write(tmp_path / "deep", deep))
    assert (dataset.episode(dataset.episodes[0].name).frame("obs/front", 3) == 9).all()


def test_messages_of_a_second_type_are_passed_over_and_counted(tmp_path: Path) -> None:
    def both(t: float, ns: int) -> list[Message]:
        extra = ("/joint_states", ARRAY, position_array(np.zeros(2))[2])
        return [*plain(t, ns), *([extra] if t < 0.095 else [])]

    report, _ = run(write(tmp_path / "both", both))
    ((item, why),) = report.left_out.items()
    assert item.startswith("/joint_states, messages of the type std_msgs/msg/Float64MultiArray")
    assert why == "10 of them"


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_nothing_that_is_not_needed_can_stop_an_import(
    tmp_path: Path, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {
        "my_msgs/msg/Broken": ("ros2msg", "this is { no definition"),
        "my_msgs/msg/Empty": ("ros2msg", ""),
        "my_msgs/msg/Idl": ("ros2idl", "module x { nonsense"),
        "my_msgs/srv/Call_Event": ("unknown", ""),
        "my_msgs/msg/Proto": ("protobuf", "\x00\xff"),
    }
    path = tmp_path / "bag"
    with rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin[storage]) as writer:
        ours: dict[str, Any] = {}
        for kind in broken:
            topic = f"/other/{kind.rsplit('/', maxsplit=1)[-1]}"
            connection = writer.add_connection(topic, kind, msgdef="int32 x\n", rihs01="RIHS01_0")
            writer.write(connection, START_NS, b"\x00\x01\x00\x00\xff")
        for index in range(50):
            for topic, kind, made in plain(index / 100, START_NS + index * 10 * MS):
                if topic not in ours:
                    ours[topic] = writer.add_connection(topic, kind, typestore=STORE)
                at_ns = START_NS + index * 10 * MS
                writer.write(ours[topic], at_ns, bytes(STORE.serialize_cdr(made, kind)))
    (file,) = [each for each in path.iterdir() if each.suffix != ".yaml"]
    if storage == "SQLITE3":
        with sqlite3.connect(file) as database:
            for kind, (encoding, text) in broken.items():
                database.execute(
                    "UPDATE message_definitions SET encoding = ?, encoded_message_definition = ? "
                    "WHERE topic_type = ?",
                    (encoding, text, kind),
                )
            database.execute(
                "UPDATE topics SET offered_qos_profiles = '{{' WHERE type LIKE 'my_msgs%'"
            )
        database.close()
    else:
        data = file.read_bytes()
        # Of equal length: the file's own lengths stay true.
        file.write_bytes(data.replace(b"int32 x\n", b"int{ x\xff\n"))
    report, _ = run(path)
    assert report.rows >= 20
    assert any("messages of other topics were left out" in note for note in report.notes)


@pytest.mark.parametrize("storage", ["MCAP", "SQLITE3"])
def test_a_bag_is_read_without_its_metadata(tmp_path: Path, storage: str) -> None:
    path = write(tmp_path / "bag", plain, storage)
    (path / "metadata.yaml").unlink()
    assert run(path)[0].rows >= 48
    (path / "metadata.yaml").write_text("rosbag2_bagfile_information: {version")
    other = import_dataset(path, tmp_path / "again", RosbagImporter(PROFILE))
    assert other.rows >= 48


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ("MCAP", r"`mcap recover bag\.mcap -o whole\.mcap`"),
        ("SQLITE3", r"sqlite3 bag\.db3 \.recover"),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_bag_that_was_cut_off_says_how_to_recover_it(
    tmp_path: Path, storage: str, says: str, share: float
) -> None:
    path = write(tmp_path / "bag", plain, storage)
    (file,) = [each for each in path.iterdir() if each.suffix != ".yaml"]
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(EpisodeError, match=says) as caught:
        run(path)
    assert "\n" not in str(caught.value)


def test_files_that_metadata_names_and_messages_in_a_log_are_missed(tmp_path: Path) -> None:
    path = write(tmp_path / "bag", plain, "SQLITE3")
    file = path / "bag.db3"
    (path / "bag.db3-wal").write_bytes(b"x" * 40)
    with pytest.raises(EpisodeError, match=r"bag\.db3-wal holds messages .*wal_checkpoint"):
        run(path)
    file.rename(tmp_path / "elsewhere.db3")
    with pytest.raises(EpisodeError, match=r"names bag\.db3, which is missing"):
        run(path)
