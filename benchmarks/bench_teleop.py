"""How fast is a teleoperation session, how even is its beat, and does its memory stay flat?

python benchmarks/bench_teleop.py [--presses 100] [--minutes 10]

Runs the simulated robot, the arbiter and the keyboard as processes under an X server of its own
(needs Xvfb and xdotool). Three figures:

- from a key event in X to the first `joint_command` that differs from the one before. The moment
  of the event is that of `xdotool key` having been written to, so that the figure contains
  xdotool, X, pynput, the poll of teleop_node (50 Hz: up to 20 ms), and the arbiter's tick.
- jitter of the arbiter's tick, as its own loop measures it;
- growth of the resident memory of each process over the session, by a straight line fit over
  the second half: the allocators of Python and the middleware take three minutes to settle.

Idle machines only: the first two measure whoever else is running too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

import numpy as np
import psutil
import rclpy
from harness import Row, Spread, report
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from robot_learning.ros import qos

DOMAIN = 89
STILL_S = 0.35
"""Commands that stay equal for so long mean that the arm stands."""
MISSED_S = 1.0
KEYS = ("a", "d")
MEMORY_PERIOD_S = 1.0


class Ear:
    """Hears `joint_command` and the arbiter in a thread of its own."""

    def __init__(self) -> None:
        rclpy.init(domain_id=DOMAIN)
        self._node = rclpy.create_node("bench")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._last: np.ndarray | None = None
        self.changed_s = 0.0
        self.state: dict[str, object] = {}
        self._node.create_subscription(
            JointTrajectory, "joint_command", self._on_command, qos.COMMAND
        )
        self._node.create_subscription(String, "arbiter/state", self._on_state, qos.LATCHED)
        self._running = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the graph."""
        self._running = False
        self._thread.join()
        rclpy.shutdown()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.1)

    def _on_command(self, message: JointTrajectory) -> None:
        now_s, position = time.monotonic(), np.array(message.points[-1].positions)
        if self._last is None or (position != self._last).any():
            self.changed_s = now_s
        self._last = position

    def _on_state(self, message: String) -> None:
        self.state = json.loads(message.data)


@contextmanager
def x_server() -> Iterator[str]:
    """An Xvfb on a display of its own; gives its name."""
    if not shutil.which("Xvfb") or not shutil.which("xdotool"):
        raise SystemExit("needs Xvfb and xdotool (Debian: apt install xvfb xdotool)")
    read_fd, write_fd = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_fd), "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write_fd], stderr=subprocess.DEVNULL)
    os.close(write_fd)
    try:
        with os.fdopen(read_fd) as reply:
            yield f":{reply.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def session(display: str) -> Iterator[psutil.Process]:
    """`robot-learning up teleop` with the keyboard; gives its process."""
    command = [sys.executable, "-m", "robot_learning.cli.main", "up", "teleop", "cameras:=none"]
    environment = {**os.environ, "DISPLAY": display, "ROS_DOMAIN_ID": str(DOMAIN)}
    up = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(up.pid)
    finally:
        up.terminate()
        up.wait(30)


def reached_in_time(reached: Callable[[], bool], limit_s: float) -> bool:
    """Poll `reached()` until it is true; False when that takes too long."""
    end_s = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True


def wait_for(what: str, reached: Callable[[], bool]) -> None:
    """Wait until `reached()`.

    Raises:
        RuntimeError: it is not within a minute.
    """
    if not reached_in_time(reached, 60.0):
        raise RuntimeError(f"never: {what}")


class Keys:
    """Presses and releases keys with one running xdotool."""

    def __init__(self, display: str) -> None:
        self._process = subprocess.Popen(
            [shutil.which("xdotool") or "xdotool", "-"],
            env={**os.environ, "DISPLAY": display},
            stdin=subprocess.PIPE,
        )

        self._input = cast("IO[bytes]", self._process.stdin)

    def send(self, event: str, key: str) -> float:
        """Send an event; returns when."""
        now_s = time.monotonic()
        self._input.write(f"{event} {key}\n".encode())
        self._input.flush()
        return now_s

    def close(self) -> None:
        """End xdotool."""
        self._process.terminate()
        self._process.wait()


def latencies_ms(
    ear: Ear, keys: Keys, presses: int, rng: np.random.Generator
) -> tuple[list[float], int]:
    """Press, wait for the change, release, wait until the arm stands: again and again.

    Also how many presses had no effect: after a stall of the machine teleop_node wants keys to
    be pressed anew.
    """
    found: list[float] = []
    lost = 0
    while len(found) < presses and lost < presses:
        wait_for("the arm stands", lambda: time.monotonic() - ear.changed_s > STILL_S)
        # Not in step with any loop.
        time.sleep(float(rng.uniform(0.0, 0.05)))
        key = KEYS[len(found) % 2]
        pressed_s = keys.send("keydown", key)
        if reached_in_time(lambda: ear.changed_s > pressed_s, MISSED_S):  # noqa: B023
            found.append(1e3 * (ear.changed_s - pressed_s))
        else:
            lost += 1
        keys.send("keyup", key)
    return found, lost


def memory_rows(
    up: psutil.Process, keys: Keys, ear: Ear, minutes: float
) -> tuple[list[Row], dict[str, list[float]]]:
    """Resident memory of each process while the arm is driven to and fro, and its course (KiB)."""
    nodes = {_name(child): child for child in up.children()}
    times_s: list[float] = []
    sizes: dict[str, list[float]] = {name: [] for name in nodes}
    jitters: list[float] = []
    end_s = time.monotonic() + 60.0 * minutes
    step = 0
    while time.monotonic() < end_s:
        keys.send("keyup", KEYS[step % 2])
        step += 1
        keys.send("keydown", KEYS[step % 2])
        time.sleep(MEMORY_PERIOD_S)
        times_s.append(time.monotonic())
        for name, process in nodes.items():
            sizes[name].append(process.memory_info().rss / 1024.0)
        if isinstance(jitter := ear.state.get("jitter_p99_ms"), float):
            jitters.append(jitter)
    keys.send("keyup", KEYS[step % 2])
    rows = [Row("arbiter tick, jitter p99, while driving", Spread.of(jitters), "ms", "<= 1")]
    skip = len(times_s) // 2
    for name, values in sizes.items():
        slope = float(np.polyfit(np.array(times_s[skip:]) / 60.0, values[skip:], 1)[0])
        sizes_mib = [value / 1024.0 for value in values[skip:]]
        rows.append(Row(f"memory of {name}", Spread.of(sizes_mib), "MiB"))
        rows.append(Row(f"growth of {name}", Spread.of([slope]), "KiB/min", "<= 50"))
    return rows, sizes


def _name(process: psutil.Process) -> str:
    return next(
        (part.rsplit(".", 1)[-1] for part in process.cmdline() if "robot_learning.ros." in part),
        str(process.pid),
    )


def measure(
    ear: Ear, keys: Keys, up: psutil.Process, presses: int, minutes: float
) -> tuple[list[Row], dict[str, object]]:
    """The rows of the table, and what the JSON holds beside them."""
    wait_for("the arbiter is enabled", lambda: ear.state.get("mode") == "HOLD")
    # The first press is to be like the others. A device that is just starting may miss a key.
    while not reached_in_time(lambda: ear.state.get("mode") == "HUMAN", MISSED_S):
        keys.send("key", "t")
    found_ms, lost = latencies_ms(ear, keys, presses, np.random.default_rng(0))
    worst = Spread.of([float(np.percentile(found_ms, 99))]) if found_ms else Spread.of([])
    still = ear.state.get("jitter_p99_ms")
    growth, sizes_kib = memory_rows(up, keys, ear, minutes)
    rows = [
        Row("key event to changed joint_command, p99", worst, "ms", "<= 40"),
        Row("key event to changed joint_command", Spread.of(found_ms), "ms"),
        Row("presses without effect", Spread.of([float(lost)]), "", "<= 0"),
        Row("arbiter tick, jitter p99", Spread.of([float(str(still))]), "ms", "<= 1"),
        *growth,
    ]
    return rows, {"latencies_ms": found_ms, "memory_kib": sizes_kib}


def main() -> None:
    """Run one session, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with x_server() as display, session(display) as up:
        ear, keys = Ear(), Keys(display)
        try:
            rows, details = measure(ear, keys, up, arguments.presses, arguments.minutes)
        finally:
            keys.close()
            ear.close()
    report("teleop", rows, {"presses": arguments.presses, "minutes": arguments.minutes, **details})


if __name__ == "__main__":
    main()
