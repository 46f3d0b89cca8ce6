"""Runs the nodes of a plan as processes: one goes, all go; nothing is left behind.

Each process leads a process group of its own, so that a Ctrl-C reaches it once, through here,
and what it starts can be ended with it. Should this process itself be killed, the kernel sends
SIGTERM to its children.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from robot_learning.bringup.plan import LaunchPlan, NodeSpec, OnExit, node_arguments
from robot_learning.cli.nodes.node_output import read_line
from robot_learning.cli.nodes.warning_summary import WarningSummary
from robot_learning.core.errors import DependencyError

POLL_PERIOD_S = 0.05
# A node that is still starting takes the second alone. Longer than a recorder takes for what waits
# for the disk (`ros.recorder_node`), so that nothing is killed that would end by itself.
ESCALATION_S = ((signal.SIGINT, 1.0), (signal.SIGTERM, 9.5), (signal.SIGKILL, 0.3))
PR_SET_PDEATHSIG = 1
# Opened here: between fork and exec a lock of the loader would stay taken for good.
_LIBC = ctypes.CDLL(None)


@dataclass
class _Running:
    node: NodeSpec
    process: subprocess.Popen[bytes]
    pending: bytes = field(default=b"")


class Supervisor:
    """Starts a plan's nodes, passes their output on, and ends them together.

    What they log is written without times on a terminal, and as it is elsewhere.

    Attributes:
        warnings: warnings and errors that the nodes have logged so far.
    """

    def __init__(self, plan: LaunchPlan, output: IO[str] | None = None) -> None:
        self._plan = plan
        self._output = output or sys.stdout
        # A line that is drawn in place there has to make room for one that stays.
        self._on_terminal = _is_terminal(self._output)
        drawn = any(node.owns_terminal for node in plan.nodes) and self._on_terminal
        self._clear = "\r\x1b[2K" if drawn else ""
        self.warnings = WarningSummary()
        self._running: list[_Running] = []
        self._selector = selectors.DefaultSelector()
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        """Whether SIGINT or SIGTERM has ended it."""
        return self._interrupted

    def run(self) -> int:
        """Run until a node ends that the others depend on, or until SIGINT or SIGTERM.

        Raises:
            DependencyError: ROS 2 is not installed, so that no node could start.

        Returns:
            0 after an interruption or when every node ended well; the exit code of a node
            that finishes the plan; 1 or the node's own code when a required node died.
        """
        if importlib.util.find_spec("rclpy") is None:
            raise DependencyError(
                "ROS 2 (rclpy) is not there. On a ROS 2 machine source its setup.bash; elsewhere: "
                "pip install 'robot_learning[ros]'"
            )
        previous = {
            number: signal.signal(number, self._interrupt)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            for node in self._plan.nodes:
                self._start(node)
            return self._watch()
        finally:
            self._end_all()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self._interrupted = True

    def _start(self, node: NodeSpec) -> None:
        command = [sys.executable, "-m", f"robot_learning.ros.{node.executable}"]
        parent = os.getpid()
        stdout: int | None = subprocess.PIPE
        stderr: int | None = subprocess.STDOUT
        if node.owns_terminal:
            # What it draws goes to the terminal; what it logs is shortened there like all else.
            stdout, stderr = None, subprocess.PIPE if self._on_terminal else None
        process = subprocess.Popen(
            [*command, *node_arguments(node)],
            env=_environment(self._plan.environment),
            # Whose screen it is, is also who keeps the keys that are typed there off it.
            stdin=None if node.owns_terminal else subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=lambda: _prepare_child(parent),  # noqa: PLW1509 (takes no lock that a thread may hold)
        )
        running = _Running(node, process)
        self._running.append(running)
        stream = process.stderr if node.owns_terminal else process.stdout
        if stream is not None:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, running)

    def _watch(self) -> int:
        while not self._interrupted:
            self._pass_output_on(POLL_PERIOD_S)
            for running in self._running:
                code = running.process.poll()
                if code is None or (code == 0 and running.node.on_exit is OnExit.KEEP):
                    continue
                self._pass_output_on(0.0)
                if running.node.on_exit is OnExit.FINISH:
                    return _exit_code(code)
                self._say(f"{running.node.name} {_ending(code)}; ending everything")
                return _exit_code(code) or 1
            if all(running.process.poll() is not None for running in self._running):
                return max(_exit_code(running.process.returncode) for running in self._running)
        return 0

    def _end_all(self) -> None:
        for number, timeout_s in ESCALATION_S:
            alive = [running for running in self._running if running.process.poll() is None]
            if not alive:
                break
            if number is signal.SIGKILL:
                names = ", ".join(running.node.name for running in alive)
                self._say(f"killing what did not end by itself: {names}")
            for running in alive:
                _signal_group(running.process.pid, number)
            deadline_s = time.monotonic() + timeout_s
            while time.monotonic() < deadline_s and any(
                running.process.poll() is None for running in alive
            ):
                self._pass_output_on(0.01)
        for running in self._running:
            # What a node had started itself may outlive it, when it was killed.
            _signal_group(running.process.pid, signal.SIGKILL)
        self._pass_output_on(0.0)
        self._selector.close()

    def _pass_output_on(self, timeout_s: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            running: _Running = key.data
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            lines = (running.pending + data).split(b"\n")
            running.pending = lines.pop() if data else b""
            for line in lines:
                self._say_line(running.node.name, line)

    def _say_line(self, name: str, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if not text:
            return
        logged = read_line(text)
        if logged:
            self.warnings.add(logged)
        if logged and self._on_terminal:
            text = str(logged)
        elif not (logged and logged.node.rpartition(".")[2] == name):
            # What does not name its node itself.
            text = f"[{name}] {text}"
        self._say(text)

    def _say(self, text: str) -> None:
        self._output.write(f"{self._clear}{text}\n")
        self._output.flush()


def _is_terminal(output: IO[str]) -> bool:
    # A live table stands between this and the terminal, and says of itself that it is none.
    try:
        return os.isatty(output.fileno())
    except OSError:
        return output.isatty()


def _environment(additions: Mapping[str, str]) -> dict[str, str]:
    return {**additions, "PYTHONUNBUFFERED": "1", **os.environ}


def _prepare_child(parent: int) -> None:
    # A node takes SIGINT once it can end cleanly. Until then (Python is importing) an interrupt
    # would only print a traceback; SIGTERM, which follows soon, ends it without one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Linux only; elsewhere the supervisor's own handlers have to do.
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _exit_code(code: int) -> int:
    """A process's exit code; 128 + signal where a signal ended it, as shells have it."""
    return 128 - code if code < 0 else code


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
