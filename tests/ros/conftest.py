"""Real ROS graphs, each in a domain of its own, and no process left behind."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import rclpy
from arbiter_graph import Graph, running_graph
from keyboard_pilot import Typist
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from stepped_graph import SteppedGraph, stepped_graph
from x_server import start_x_server

from robot_learning.bringup.plan import NodeSpec, middleware_environment
from robot_learning.core.clocks import SteadyClock
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.service_calls import ServiceCalls

MARK = "ROBOT_LEARNING_TEST"
# Files that take longest. They begin first: one that began last would run on alone.
LONGEST = ("test_killed_rounds.py", "test_equal_runs.py", "test_tutorials.py", "test_up.py")
TIMEOUT_S = 240.0
"""Only a test that has failed waits so long, however busy the machine is."""


# Fast DDS 2.14 can deadlock when it looks after a lease (by default every 20 s for each process
# that it knows) in the moment in which a publisher is taken away (its issue 6502). Tests end
# processes all the time, so they have leases that outlast them.
LEASE = """<rtps><builtin><discovery_config>
  <leaseDuration><sec>3600</sec></leaseDuration>
  <leaseAnnouncement><sec>3</sec></leaseAnnouncement>
</discovery_config></builtin>"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _long_leases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that are not looked after, in the tests and whatever they start."""
    ((variable, profile),) = middleware_environment().items()
    text = Path(profile).read_text(encoding="utf-8")
    assert text.count("<rtps>") == 1
    path = tmp_path_factory.mktemp("middleware") / "fastdds.xml"
    path.write_text(text.replace("<rtps>", LEASE), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, str(path))
        yield


@pytest.fixture(autouse=True)
def _own_graph(monkeypatch: pytest.MonkeyPatch, worker_domain: int) -> Iterator[None]:
    """Isolate the test's graph, and end and report what it leaves running."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(worker_domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    # Humble knows only this one; where both are known, it is deprecated and warned of.
    if os.environ.get("ROS_DISTRO") == "humble":
        monkeypatch.setenv("ROS_LOCALHOST_ONLY", "1")
    yield
    give_up_s = time.monotonic() + 5.0
    while (left := _marked(mark)) and time.monotonic() < give_up_s:
        time.sleep(0.05)
    for process in left:
        process.kill()
    assert not left, f"left running: {list(left.values())}"


def _marked(mark: str) -> dict[psutil.Process, list[str]]:
    # By the environment, since a process whose parent has died is no one's child any more. Each
    # with its command line, which nobody can read any more once it is killed.
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found[process] = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture(scope="session")
def worker_domain() -> Iterator[int]:
    """A domain that no other worker, and no other session of this machine, uses."""
    # Domains end at 101; beyond, discovery's ports meet those that the system hands out.
    for step in range(100):
        domain = 1 + (os.getpid() + step) % 100
        try:
            file = (Path(tempfile.gettempdir()) / f"robot_learning_domain_{domain}").open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        with file:
            yield domain
        return
    raise AssertionError("every domain is in use")


class Running:
    """A command that runs beside the test; its output goes to a file."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def await_output(self, text: str) -> None:
        """Wait until it has written `text`."""
        give_up_s = time.monotonic() + TIMEOUT_S
        while text not in self.output:
            assert self.process.poll() is None, f"it ended before '{text}': {self.output}"
            assert time.monotonic() < give_up_s, f"'{text}' never came: {self.output}"
            time.sleep(0.05)

    def interrupt(self) -> int:
        """What Ctrl-C does, to this process alone; returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(TIMEOUT_S)

    def end(self) -> None:
        """Kill it and everything in its session."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def starter(folder: Path, all_running: list[Running], **fixed: str) -> Callable[..., Running]:
    """Starts `python -m <module> <arguments>`, and notes it among `all_running`."""

    def one(module: str, *arguments: str, **environment: str) -> Running:
        command = [sys.executable, "-m", module, *arguments]
        log = folder / f"process_{len(all_running)}.log"
        all_running.append(Running(command, log, {**fixed, **environment}))
        return all_running[-1]

    return one


def node_starter(start: Callable[..., Running]) -> Callable[..., Running]:
    """Starts a node of ours with parameters: `start_node("robot_node", sim_speed=0.0)`."""

    def one(
        executable: str, environment: dict[str, str] | None = None, **parameters: Any
    ) -> Running:
        arguments = ["--ros-args"]
        for name, value in parameters.items():
            arguments += ["-p", f"{name}:={value}"]
        return start(f"robot_learning.ros.{executable}", *arguments, **(environment or {}))

    return one


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `python -m <module> <arguments>`; it is ended after the test."""
    all_running: list[Running] = []
    yield starter(tmp_path, all_running)
    for running in all_running:
        running.end()


@pytest.fixture
def start_node(start: Callable[..., Running]) -> Callable[..., Running]:
    """Start a node of ours with parameters: `start_node("robot_node", sim_speed=0.0)`."""
    return node_starter(start)


@pytest.fixture(scope="module")
def shared_start_node(
    worker_domain: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Running]]:
    """The same for nodes that all tests of a file share."""
    all_running: list[Running] = []
    graph = {"ROS_DOMAIN_ID": str(worker_domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    folder = tmp_path_factory.mktemp("shared")
    # They outlive the test that starts them.
    yield node_starter(starter(folder, all_running, **graph, **{MARK: ""}))
    for running in all_running:
        running.end()


class Peer:
    """A node inside the test, with what it received."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.received: dict[str, list[Any]] = {}
        self.clock = SteadyClock()
        # It is the host of its own calls.
        self._calls = ServiceCalls(self.node, cast(Host, self))

    def subscribe(self, kind: type, topic: str, profile: Any) -> list[Any]:
        """Subscribe; the list returned grows with each message."""
        messages = self.received.setdefault(topic, [])
        self.node.create_subscription(kind, topic, messages.append, profile)
        return messages

    def spin_until(self, condition: Callable[[], Any]) -> Any:
        """Serve callbacks until `condition` is true, and return what it gave."""
        give_up_s = time.monotonic() + TIMEOUT_S
        while not (result := condition()):
            assert time.monotonic() < give_up_s, "the condition was never met"
            self.spin()
        return result

    def next(self, topic: str) -> Any:
        """A message that arrives after now."""
        messages = self.received[topic]
        messages.clear()
        self.spin_until(lambda: messages)
        return messages[-1]

    def call(self, kind: type, name: str, request: Any = None) -> Any:
        """Call a service and wait for its answer; one that got lost is asked for again."""
        return self._calls.call(kind, name, request or kind.Request())

    def transition(self, node: str, transition: int) -> bool:
        """Bring a lifecycle node into another state; whether it is there."""
        return self._calls.transition(node, transition)

    def spin(self) -> None:
        """Serve callbacks for a moment; see `ros.common.host.Host`."""
        self.executor.spin_once(timeout_sec=0.05)

    def settle(self) -> None:
        """Nothing; see `ros.common.host.Host`."""

    def close(self) -> None:
        """Leave the graph."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def peer(_own_graph: None, worker_domain: int) -> Iterator[Peer]:
    """A node of the test's own in the test's graph."""
    one = Peer(worker_domain)
    yield one
    one.close()


@pytest.fixture(scope="module")
def shared_peer(worker_domain: int) -> Iterator[Peer]:
    """A node in the graph that all tests of a file share."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    one = Peer(worker_domain)
    yield one
    one.close()


@pytest.fixture
def stepped(
    _own_graph: None, worker_domain: int
) -> Iterator[Callable[[Sequence[NodeSpec]], SteppedGraph]]:
    """Nodes in lockstep within the test: `stepped(hosted("sim", task="reach"))`."""
    with ExitStack() as running:
        yield lambda specs: running.enter_context(stepped_graph(specs, worker_domain))


@pytest.fixture
def display() -> Iterator[str]:
    """An X server without a screen, as `DISPLAY` names it."""
    server = start_x_server()
    yield server.display
    server.stop()


@pytest.fixture
def typist(display: str) -> Iterator[Typist]:
    """Somebody at that X server's keyboard."""
    one = Typist(display)
    yield one
    one.close()


@pytest.fixture(scope="module")
def context(worker_domain: int) -> Iterator[Context]:
    """A context in the worker's domain."""
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    context = Context()
    rclpy.init(context=context, domain_id=worker_domain)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture(scope="module")
def shared_graph(context: Context) -> Iterator[Graph]:
    """One for all tests of a file."""
    with running_graph(Graph(context, "shared")) as graph:
        yield graph


@pytest.fixture
def graph(shared_graph: Graph) -> Iterator[Graph]:
    """A robot and an arbiter, enabled and in HOLD, with no source running."""
    shared = shared_graph
    for name in ("teleop", "policy"):
        if name in shared.processes:
            shared.end(name)
    shared.until(lambda: shared.states[-1]["ages_s"]["robot"][0] is not None)
    if shared.mode() == "FAULT":
        shared.until(lambda: shared.ask("clear_fault").success)
    if shared.mode() == "DISABLED":
        shared.until(lambda: shared.ask("enable").success)
    shared.until_mode("HOLD")
    shared.ticks(60)
    shared.forget()
    yield shared
