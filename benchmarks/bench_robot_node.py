"""Does robot_node hold 100 Hz while two 640x480 cameras are rendered at 30 Hz?

python benchmarks/bench_robot_node.py [--seconds 60] [--compare-seconds 15]

First the node itself, as a process, by its own diagnostics and by what a subscriber receives:
ticks missed within the time, and the jitter |period - 10 ms| of the worst window of 10 s. Then
why it renders in a process of its own: the same robot in a bare control loop without cameras,
with rendering in a thread, and with rendering in a process.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from harness import Row, Spread, report
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor

from robot_learning.bringup.plan import middleware_environment
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.types import Command, Image
from robot_learning.robots.camera_process import ProcessFrames
from robot_learning.robots.cameras import FrameSource, NoFrames, open_renderer
from robot_learning.robots.mujoco_robot import MujocoRobot
from robot_learning.ros.common import qos
from robot_learning.sim.model import SimModel
from robot_learning.sim.tasks import make_task
from robot_learning.sim.world import World

DOMAIN = 49
CAMERAS = ("front", "wrist")
WARM_UP_S = 12.0  # longer than the window of the jitter, which then holds no start-up

Figures = dict[str, dict[str, str]]


class ThreadFrames:
    """The alternative that is measured: frames from a thread of the control loop's process."""

    def __init__(self, simulation: SimModel) -> None:
        self.dropped = 0
        self._renderer = open_renderer(simulation, "observation")
        self._busy: set[str] = set()
        self._wanted: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[str, Image]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def request(self, world: World, stamp_ns: int, names: Sequence[str]) -> None:
        """Hand the state over and return."""
        free = [name for name in names if name not in self._busy]
        self.dropped += len(names) - len(free)
        if free:
            self._renderer.update(world)
        for name in free:
            self._busy.add(name)
            self._wanted.put((stamp_ns, name))

    def collect(self) -> Mapping[str, Image]:
        """What the thread has finished."""
        ready = {}
        while not self._ready.empty():
            name, image = self._ready.get()
            ready[name] = image
            self._busy.discard(name)
        return ready

    def close(self) -> None:
        """End the thread."""
        self._wanted.put(None)
        self._thread.join()
        self._renderer.close()

    def _work(self) -> None:
        while (item := self._wanted.get()) is not None:
            stamp_ns, name = item
            self._ready.put((name, Image(stamp_ns, self._renderer.render(name))))


class LoopRobot(MujocoRobot):
    """A simulated robot whose frames come from wherever the benchmark wants."""

    def __init__(self, frames: str) -> None:
        cameras = () if frames == "none" else CAMERAS
        super().__init__(load_profile("desk_arm"), make_task("lift"), cameras)
        self._source = frames

    def _make_frames(self) -> FrameSource:
        if self._source == "thread":
            return ThreadFrames(self._simulation)
        if self._source == "process":
            return ProcessFrames(self._simulation, self.cameras, "observation")
        return NoFrames()


def bare_loop(frames: str, seconds: float) -> list[Row]:
    """Run the control loop without ROS; its jitter, missed ticks and frame rate."""
    with LoopRobot(frames) as robot:
        pacer, stamps = Pacer(robot.profile.control_rate_hz), set[int]()
        for _ in range(round(seconds * robot.profile.control_rate_hz)):
            pacer.wait()
            robot.apply(Command(robot.now_ns, robot.profile.home))
            robot.advance()
            images = robot.observe().images
            stamps |= {image.stamp_ns for name, image in images.items() if name == CAMERAS[0]}
        figures = pacer.meter.report()
    what = "no cameras" if frames == "none" else f"rendering in a {frames}"
    rows = [
        Row(f"bare loop, {what}: jitter p99", Spread.of([figures.jitter_p99_ms]), "ms"),
        Row(f"bare loop, {what}: ticks missed", Spread.of([float(figures.missed)]), ""),
    ]
    if frames != "none":
        rate_hz = len(stamps) / (figures.ticks / robot.profile.control_rate_hz)
        rows.append(Row(f"bare loop, {what}: frames", Spread.of([rate_hz]), "Hz"))
    return rows


class Watcher:
    """Reads the diagnostics of the node under test."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self._node = rclpy.create_node("watcher", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.messages: list[Figures] = []
        self._node.create_subscription(
            DiagnosticArray, "diagnostics", self._on_message, qos.DIAGNOSTICS
        )

    def watch(self, seconds: float) -> None:
        """Serve the subscription for so long; little else, as the machine is measured."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.2)

    def close(self) -> None:
        """Leave the graph."""
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _on_message(self, message: DiagnosticArray) -> None:
        figures = {
            status.name.partition(": ")[2]: {item.key: item.value for item in status.values}
            for status in message.status
        }
        # Its pace it tells in messages of their own.
        if "control loop" in figures:
            self.messages.append(figures)


def start_node(transport: str) -> subprocess.Popen[bytes]:
    """robot_node with its cameras, as `robot-learning up sim` starts it."""
    command = [sys.executable, "-m", "robot_learning.ros.robot_node", "--ros-args"]
    values = {"robot": "desk_arm", "task": "lift", "cameras": "all", "image_transport": transport}
    for name, value in values.items():
        command += ["-p", f"{name}:={value}"]
    environment = {**middleware_environment(), **os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
    return subprocess.Popen(command, env=environment)


def node_rows(transport: str, seconds: float) -> list[Row]:
    """Measure the node for so long after it has warmed up."""
    node, watcher = start_node(transport), Watcher()
    try:
        watcher.watch(WARM_UP_S)
        if not watcher.messages or node.poll() is not None:
            raise SystemExit("robot_node does not run")
        before = watcher.messages[-1]["control loop"]
        watcher.messages.clear()
        watcher.watch(seconds)
        messages = watcher.messages
    finally:
        node.send_signal(signal.SIGINT)
        node.wait(10)
        watcher.close()
    control = [message["control loop"] for message in messages]
    missed = int(control[-1]["missed_ticks"]) - int(before["missed_ticks"])
    jitters = [float(figures["jitter_p99_ms"]) for figures in control]
    rows = [
        Row(f"node, {transport}: ticks missed in {seconds:.0f} s", _one(missed), "", "<= 0"),
        Row(f"node, {transport}: jitter p99, worst 10 s", _one(max(jitters)), "ms", "<= 1"),
        Row(f"node, {transport}: jitter p99, median 10 s", _one(np.median(jitters)), "ms"),
        Row(f"node, {transport}: control loop", _one(control[-1]["rate_hz"]), "Hz", ">= 99.5"),
    ]
    for camera in CAMERAS:
        rate = messages[-1][f"camera {camera}"]["rate_hz"]
        rows.append(Row(f"node, {transport}: camera {camera}", _one(rate), "Hz", ">= 29"))
    return rows


def _one(value: object) -> Spread:
    return Spread.of([float(str(value))])


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--compare-seconds", type=float, default=15.0)
    arguments = parser.parse_args()
    rows = node_rows("compressed", arguments.seconds)
    rows += node_rows("both", min(20.0, arguments.seconds))
    for frames in ("none", "thread", "process"):
        rows += bare_loop(frames, arguments.compare_seconds)
    report("robot_node", rows, {"seconds": arguments.seconds, "load_1_min": os.getloadavg()[0]})


if __name__ == "__main__":
    main()
