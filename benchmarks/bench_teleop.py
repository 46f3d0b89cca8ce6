"""How fast is a teleoperation session, how even is its beat, and does its memory stay flat?

python benchmarks/bench_teleop.py [--presses 100] [--minutes 10]

Runs the simulated robot, the arbiter and the keyboard as processes under an X server of its own
(needs Xvfb and xdotool). Three figures:

- from a key event in X to the first `joint_command` that differs from the one before. The moment
  of the event is that of `xdotool key` having been written to, so that the figure contains
  xdotool, X, pynput, the poll of teleop_node (50 Hz: up to 20 ms), and the arbiter's tick. That of
  the command is when the middleware had it.
- jitter of the arbiter's tick, as its own loop measures it;
- growth of the resident memory of each process over the session, by a straight line fit over
  the second half: the allocators of Python and the middleware take three minutes to settle.

Idle machines only: the first two measure whoever else is running too. On a full one it comes to
its end all the same: the arbiter is patient with a robot that is late, and an operator whom a stall
has disengaged engages again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import psutil
import rclpy
from harness import Row, Spread, report
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S, SteadyClock
from robot_learning.ros.common import qos
from robot_learning.ros.common.polling import NodePoller

DOMAIN = 89
STILL_S = 0.35
"""Commands that stay equal for so long mean that the arm stands."""
MISSED_S = 1.0
KEYS = ("a", "d")
MEMORY_PERIOD_S = 1.0
LISTEN_PERIOD_S = 0.005
# A robot that is late on a busy machine is not what is measured.
PATIENT = """\
/**:
  ros__parameters:
    human_timeout_s: 0.5
    measured_timeout_s: 1.5
    measured_fault_s: 30.0
"""


class Ear:
    """Hears `joint_command` and the arbiter in a thread of its own."""

    def __init__(self) -> None:
        self._context = Context()
        # Ctrl-C ends the measurement; the context goes last.
        rclpy.init(
            context=self._context,
            domain_id=DOMAIN,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node("bench", context=self._context)
        self._poller = NodePoller(self._node, SteadyClock())
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
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @property
    def mode(self) -> object:
        """Of the arbiter, by its newest state."""
        return self.state.get("mode")

    def _spin(self) -> None:
        while self._running:
            self._poller.poll()
            time.sleep(LISTEN_PERIOD_S)

    def _on_command(self, message: JointTrajectory, information: Any) -> None:
        position = np.array(message.points[-1].positions)
        if self._last is None or (position != self._last).any():
            self.changed_s = information["received_timestamp"] / NS_PER_S
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


class Session:
    """`robot-learning up teleop` with the keyboard."""

    def __init__(self, display: str, folder: Path) -> None:
        patient = folder / "patient.yaml"
        patient.write_text(PATIENT, encoding="utf-8")
        self._log = folder / "session.log"
        command = [sys.executable, "-m", "robot_learning.cli.main", "up", "teleop"]
        command += ["cameras:=none", "headless:=true", f"params_file:={patient}"]
        environment = {**os.environ, "DISPLAY": display, "ROS_DOMAIN_ID": str(DOMAIN)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def check(self) -> None:
        """Be sure that it runs."""
        if self._process.poll() is not None:
            lines = self._log.read_text(errors="replace").splitlines()[-15:]
            raise SystemExit("\n".join(["the session has ended by itself:", *lines]))

    def nodes(self) -> dict[str, psutil.Process]:
        """The processes of its nodes by their names."""
        self.check()
        return {_name(child): child for child in psutil.Process(self._process.pid).children()}

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


def reached_in_time(reached: Callable[[], bool], limit_s: float) -> bool:
    """Poll `reached()` until it is true; False when that takes too long."""
    end_s = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.01)
    return True


def wait_for(what: str, reached: Callable[[], bool], session: Session, ear: Ear) -> None:
    """Wait until `reached()`; ends the benchmark, with a line, where it is not within a minute."""
    if not reached_in_time(reached, 60.0):
        session.check()
        raise SystemExit(f"never: {what}; the arbiter: {ear.mode}, {ear.state.get('reasons')}")


def engage(ear: Ear, keys: Keys) -> None:
    """Take over, where nobody drives; a device that is just starting may miss a key."""
    for _ in range(60):
        if reached_in_time(lambda: ear.mode == "HUMAN", MISSED_S):
            return
        keys.send("key", "t")


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
        now_s = time.time()
        self._input.write(f"{event} {key}\n".encode())
        self._input.flush()
        return now_s

    def close(self) -> None:
        """End xdotool."""
        self._process.terminate()
        self._process.wait()


def latencies_ms(
    ear: Ear, keys: Keys, session: Session, presses: int, rng: np.random.Generator
) -> tuple[list[float], int]:
    """Press, wait for the change, release, wait until the arm stands: again and again.

    Also how many presses had no effect: after a stall of the machine teleop_node wants the operator
    to engage anew.
    """
    found: list[float] = []
    lost = 0
    while len(found) < presses and lost < presses:
        engage(ear, keys)
        wait_for("the arm stands", lambda: time.time() - ear.changed_s > STILL_S, session, ear)
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
    session: Session, keys: Keys, ear: Ear, minutes: float
) -> tuple[list[Row], dict[str, list[float]]]:
    """Resident memory of each process while the arm is driven to and fro, and its course (KiB)."""
    nodes = session.nodes()
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
        session.check()
        times_s.append(time.monotonic())
        for name, process in nodes.items():
            sizes[name].append(process.memory_info().rss / 1024.0)
        if isinstance(jitter := ear.state.get("jitter_p99_ms"), float):
            jitters.append(jitter)
    keys.send("keyup", KEYS[step % 2])
    rows = [Row("arbiter tick, jitter p99, while driving", Spread.of(jitters), "ms", "<= 1")]
    skip = len(times_s) // 2
    for name, values in sizes.items():
        # A line takes two points.
        enough = len(values[skip:]) > 1
        course = np.array(times_s[skip:]) / 60.0, values[skip:]
        slope = float(np.polyfit(*course, 1)[0]) if enough else float("nan")
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
    ear: Ear, keys: Keys, session: Session, presses: int, minutes: float
) -> tuple[list[Row], dict[str, object]]:
    """The rows of the table, and what the JSON holds beside them."""
    wait_for("the arbiter is enabled", lambda: ear.mode == "HOLD", session, ear)
    # The first press is to be like the others.
    engage(ear, keys)
    found_ms, lost = latencies_ms(ear, keys, session, presses, np.random.default_rng(0))
    worst = Spread.of([float(np.percentile(found_ms, 99))]) if found_ms else Spread.of([])
    still = ear.state.get("jitter_p99_ms")
    growth, sizes_kib = memory_rows(session, keys, ear, minutes)
    rows = [
        Row("key event to changed joint_command, p99", worst, "ms", "<= 40"),
        Row("key event to changed joint_command", Spread.of(found_ms), "ms"),
        Row("presses without effect", Spread.of([float(lost)]), "", "<= 0"),
        Row("arbiter tick, jitter p99", Spread.of([float(str(still or "nan"))]), "ms", "<= 1"),
        *growth,
    ]
    return rows, {"latencies_ms": found_ms, "memory_kib": sizes_kib}


def main() -> None:
    """Run one session, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with x_server() as display, tempfile.TemporaryDirectory() as folder:
        session = Session(display, Path(folder))
        ear, keys = Ear(), Keys(display)
        try:
            rows, details = measure(ear, keys, session, arguments.presses, arguments.minutes)
        finally:
            keys.close()
            ear.close()
            session.close()
    report("teleop", rows, {"presses": arguments.presses, "minutes": arguments.minutes, **details})


if __name__ == "__main__":
    main()
