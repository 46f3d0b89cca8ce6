"""recorder_node over DDS: three cameras at 30 Hz, joints at 500 Hz, decisions at 50 Hz.

python benchmarks/bench_recorder_node.py [--seconds 60]

A process of its own publishes JPEG frames of 640x480 that were encoded beforehand, the joints of
two arms, and an arbiter's columns; the recorder is the node as it ships, in another process.
Its CPU time is that of the process over the time of the recording.
"""

from __future__ import annotations

import argparse
import array
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
import yaml
from harness import Row, Spread, report
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_learning.bringup.plan import middleware_environment
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.resources import find_robot
from robot_learning.core.vocabulary import Mode, Source
from robot_learning.episodes.dataset.dataset import Dataset
from robot_learning.episodes.format.images import encode_jpeg
from robot_learning.episodes.store.folder import DatasetFolder
from robot_learning.episodes.store.recovery import verify_dataset
from robot_learning.messages.arbiter_state import COLUMNS, ArbiterStateMessage
from robot_learning.ros.common import conversions, qos

DOMAIN = 44
CAMERAS = ("front", "left", "right")
HEIGHT, WIDTH = 480, 640
JOINT_RATE_HZ, DECISION_RATE_HZ, CAMERA_RATE_HZ, ROW_RATE_HZ = 500, 50, 30, 50
TIMEOUT_S = 60.0


def three_camera_robot(folder: Path, robot: str = "desk_duo") -> str:
    """A robot with three cameras; by default that of two arms."""
    source = find_robot(robot)
    profile = yaml.safe_load(source.read_text(encoding="utf-8"))
    mjcf = Path(profile["interfaces"]["sim"]["mjcf"])
    profile["interfaces"]["sim"]["mjcf"] = str((source.parent / mjcf).resolve())
    profile["cameras"] = [
        {"name": name, "width_px": WIDTH, "height_px": HEIGHT, "rate_hz": 30, "topic": topic}
        for name, topic in ((name, f"{name}/image_raw") for name in CAMERAS)
    ]
    path = folder / "robot.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return str(path)


def publish(robot: str) -> None:
    """The graph that is recorded; runs until it is killed."""
    names = load_profile(robot).joint_names
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("bench_source")
    joints = node.create_publisher(JointState, "joint_states", qos.STREAM_OUT)
    state = node.create_publisher(String, "arbiter/state", qos.LATCHED)
    cameras = [
        node.create_publisher(CompressedImage, f"{name}/image_raw/compressed", qos.IMAGE_OUT)
        for name in CAMERAS
    ]
    rng = np.random.default_rng(0)
    smooth = np.linspace(0, 180, WIDTH, dtype=np.uint8)[None, :, None]
    frames = [
        array.array(
            "B", encode_jpeg(rng.integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8) + smooth, 80)
        )
        for _ in range(8)
    ]
    message = JointState(name=list(names))
    message.position = message.velocity = message.effort = array.array("d", [0.1] * len(names))
    decision = ArbiterStateMessage(
        stamp_ns=0,
        mode=Mode.HUMAN,
        source=Source.HUMAN,
        joints=names,
        columns=np.full((len(COLUMNS), len(names)), 0.1),
        limited=np.zeros(len(names), np.uint8),
    )
    image = CompressedImage(format="rgb8; jpeg compressed bgr8")
    start_ns, tick, frame = time.time_ns(), 0, 0
    while True:
        due_ns = start_ns + tick * 1_000_000_000 // JOINT_RATE_HZ
        time.sleep(max(0, due_ns - time.time_ns()) / 1e9)
        now_ns = time.time_ns()
        message.header.stamp = conversions.time_message(now_ns)
        joints.publish(message)
        if tick % (JOINT_RATE_HZ // DECISION_RATE_HZ) == 0:
            state.publish(String(data=replace(decision, stamp_ns=now_ns).to_json()))
        if tick * CAMERA_RATE_HZ // JOINT_RATE_HZ != (tick - 1) * CAMERA_RATE_HZ // JOINT_RATE_HZ:
            frame += 1
            image.header.stamp = message.header.stamp
            for index, publisher in enumerate(cameras):
                image.data = frames[(frame + index) % len(frames)]
                publisher.publish(image)
        tick += 1


class Session:
    """Source and recorder as processes, and a client of the recorder."""

    def __init__(self, folder: Path) -> None:
        self.dataset = folder / "set"
        environment = {**middleware_environment(), **os.environ}
        robot = three_camera_robot(folder)
        self.source = subprocess.Popen([sys.executable, __file__, "--publish", robot])
        parameters: dict[str, Any] = {
            "robot": robot,
            "task": "bench",
            "dataset": str(self.dataset),
            "simulated": "false",
            "rate_hz": float(ROW_RATE_HZ),
            "joint_rate_hz": float(JOINT_RATE_HZ),
            "decision_rate_hz": float(DECISION_RATE_HZ),
        }
        command = [sys.executable, "-m", "robot_learning.ros.recorder_node", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        self.recorder = subprocess.Popen(command, env=environment)
        rclpy.init()
        self.node = rclpy.create_node("bench_client")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.status: dict[str, Any] = {}
        self._clients = {
            name: self.node.create_client(Trigger, f"recorder_node/{name}")
            for name in ("start", "stop")
        }
        self.node.create_subscription(String, "recorder/status", self._on_status, qos.LATCHED)

    def wait(self, condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
        """Serve callbacks until the condition holds."""
        give_up_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > give_up_s:
                raise SystemExit(f"the recorder did not get ready: {self.status}")
            self.executor.spin_once(timeout_sec=0.05)

    def ask(self, request: str) -> float:
        """Call one of the recorder's services; seconds until its answer."""
        client = self._clients[request]
        self.wait(client.service_is_ready)
        start_s = time.perf_counter()
        future = client.call_async(Trigger.Request())
        self.wait(future.done)
        taken_s = time.perf_counter() - start_s
        if not future.result().success:
            raise SystemExit(future.result().message)
        return taken_s

    def close(self) -> None:
        """End both processes."""
        for process in (self.recorder, self.source):
            process.send_signal(signal.SIGTERM)
        for process in (self.recorder, self.source):
            process.wait(30)
        rclpy.shutdown()

    def _on_status(self, message: String) -> None:
        self.status = json.loads(message.data)


def measure(session: Session, seconds: float) -> list[Row]:
    """Record so long, and look at what it took and at what was recorded."""
    session.wait(lambda: session.status.get("silent") == [])
    session.ask("start")
    process = psutil.Process(session.recorder.pid)
    before, start_s = process.cpu_times(), time.monotonic()
    end_s = start_s + seconds
    while time.monotonic() < end_s:
        session.executor.spin_once(timeout_sec=0.2)
    after, lasted_s = process.cpu_times(), time.monotonic() - start_s
    cpu_s = after.user + after.system - before.user - before.system
    memory = process.memory_info().rss
    asked_s = time.perf_counter()
    session.ask("stop")
    dataset = Dataset(session.dataset)
    episode = dataset.episode(dataset.episodes[-1].name)
    episode.frame(f"images/{CAMERAS[0]}", episode.rows - 1)
    saved_s = time.perf_counter() - asked_s
    ticks_ns = episode.column("tick_ns")
    expected = round((ticks_ns[-1] - ticks_ns[0]) / 1e9 * ROW_RATE_HZ) + 1
    frames = [
        len(np.unique(episode.column(f"streams/{name}/stamp_ns"))) / (lasted_s * CAMERA_RATE_HZ)
        for name in CAMERAS
    ]
    problems = verify_dataset(DatasetFolder(session.dataset))
    streams = episode.quality["streams"]
    return [
        Row("rows lost", Spread.of([expected - episode.rows]), "rows", "<= 0"),
        Row("rows invalid", Spread.of([int((~episode.valid).sum())]), "rows", "<= 0"),
        Row("rows recorded", Spread.of([episode.rows]), "rows"),
        Row("frames kept of those due", Spread.of([100 * x for x in frames]), "%"),
        Row("joint samples taken", Spread.of([streams["joint_states"]["rate_hz"]]), "Hz"),
        Row("recorder CPU", Spread.of([100 * cpu_s / lasted_s]), "% of a core", "<= 60"),
        Row("recorder memory", Spread.of([memory / 2**20]), "MiB"),
        Row("stop to saved and read", Spread.of([1e3 * saved_s]), "ms", "<= 200"),
        Row("problems found by verify", Spread.of([len(problems)]), "", "<= 0"),
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name, value in middleware_environment().items():
        os.environ.setdefault(name, value)
    if arguments.publish:
        publish(arguments.publish)
        return
    os.environ.setdefault("ROS_DOMAIN_ID", str(DOMAIN))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder))
        try:
            rows = measure(session, arguments.seconds)
        finally:
            session.close()
    report("recorder_node", rows, {"seconds": arguments.seconds})


if __name__ == "__main__":
    main()
