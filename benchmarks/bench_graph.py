"""What does the whole graph of a DAgger session cost, in real time and in lockstep?

python benchmarks/bench_graph.py [--seconds 8] [--repetitions 1]
    [--only real_time|cameras|training|lockstep]

In real time the six nodes are processes, as `robot-learning dagger lockstep:=false` starts them:
robot, arbiter, scripted operator, policy (50 Hz), recorder and the rounds, at 100 Hz. CPU is that
of each process and its children, in shares of a core, over windows of two seconds. Beside it its
floor: a bare rclpy node for each of the six in a graph of their own, which takes the same
messages from its queues and publishes the same ones at the same rates, and does nothing else.
What they are is learned from the running graph; both graphs run at the same time, so that
whatever else the machine does weighs on both. Cameras are JPEG frames that were encoded
beforehand, from a process of its own, as drivers of real cameras would publish them.

While a round trains, the graph only holds the arm: what it costs then, beside what it costs while
an episode is recorded, and what the training gets.

In lockstep all nodes are one process: how fast simulated time passes, with what memory, and how
soon after the command. On a machine that is not idle the simulated seconds a CPU second say more
than those a second.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
import torch
from bare_nodes import message_class
from bench_recorder_node import three_camera_robot
from diagnostic_msgs.msg import DiagnosticArray
from harness import Row, Spread, ratio, report
from rclpy.context import Context
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from robot_learning.bringup.dagger import DAGGER
from robot_learning.bringup.plan import LaunchPlan, middleware_environment, node_arguments
from robot_learning.core.clocks import SteadyClock
from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.stamps import time_ns
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.families import make_policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.ros.common import qos
from robot_learning.ros.common.polling import NodePoller

DOMAIN = 81
ROBOT, TASK = "desk_arm", "lift"
ARBITER = "arbiter_node"
POLICY_RATE_HZ = 50.0
# Of each loop, and how many messages of a topic its queues keep; the others are as the first.
RATES_HZ = {"": 100.0, "teleop_node": 50.0}
DEPTHS = {"": 1, "recorder_node": 64}
BARE_PREFIX = "bare_"
BARE = str(Path(__file__).with_name("bare_nodes.py"))
ENVIRONMENT = {
    "ROS_DOMAIN_ID": str(DOMAIN),
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    "OMP_NUM_THREADS": "1",
}
NODE_MARK, ARBITER_MARK = 2.0, 1.6
TRAINING_MARK = 0.1
ENDLESS_TRAINING = {"steps": 10_000_000, "data": {"validation_share": 0}}
GRAPH_MARK, CAMERAS_MARK = 0.8, 1.2
REFERENCE_FLOOR = 0.10
"""Of the arbiter, in cores: where it is, the marks of whole graphs hold as they stand."""
WINDOW_S, WARM_UP_S, LEARN_S, TIMEOUT_S = 2.0, 3.0, 3.0, 120.0
# Every node has these, the bare ones too.
COMMON = ("/rosout", "/parameter_events", "/clock")
MIB = 2**20
Costs = dict[str, list[float]]


def save_policy(folder: Path, robot: str) -> Path:
    """A small perceptron that wants the home position."""
    profile = load_profile(robot)
    joints, steps = len(profile.joints), 16
    spec = PolicySpec(
        (ObservationSpec("obs/joint_position", (joints,)), ObservationSpec("obs/cube", (7,))),
        joints,
        profile.joint_names,
        action_steps=steps,
        executed_steps=8,
        rate_hz=POLICY_RATE_HZ,
    )
    plain = {"observation_normalization": "none", "action_normalization": "none"}
    policy = make_policy("deterministic", spec, None, {"hidden": [64, 64], **plain}).eval()
    last = [module for module in policy.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.from_numpy(np.tile(profile.home, steps)))
    save_checkpoint(folder, policy, CheckpointDetails(profile.name, task=TASK))
    return folder


def session(folder: Path, lockstep: bool, robot: str = ROBOT) -> dict[str, str]:
    """Launch arguments of a DAgger session without an end."""
    return {
        "robot": robot,
        "task": TASK,
        "cameras": "none" if robot == ROBOT else "all",
        "device": "scripted",
        "checkpoint": str(save_policy(folder / "checkpoint", robot)),
        "dataset": str(folder / "set"),
        "out": str(folder / "run"),
        "rounds": "1",
        "episodes_per_round": "0",
        "backend": "eager",
        "inference_ticks": "1",
        "lockstep": str(lockstep).lower(),
    }


class Ear:
    """A bare node of this process, polled."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self.node = Node("bench_graph", context=self._context, start_parameter_services=False)
        self._poller = NodePoller(self.node, SteadyClock())

    def close(self) -> None:
        """Leave the graph."""
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def listen(self, seconds: float) -> None:
        """Serve the subscriptions for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._poller.poll()
            time.sleep(0.005)

    def until(self, condition: Callable[[], object], what: str, alive: Sequence[Process]) -> None:
        """Serve the subscriptions until something is the case."""
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            for process in alive:
                process.check()
            if time.monotonic() > end_s:
                raise SystemExit(f"never: {what}")
            self.listen(0.01)


class Process:
    """One process that is measured; its output is in a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        environment = {**middleware_environment(), **os.environ, **ENVIRONMENT}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare,  # noqa: PLW1509 (no threads yet that hold a lock)
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def check(self) -> None:
        """Be sure that it runs."""
        if self._process.poll() is not None:
            lines = self.output.splitlines()[-15:]
            raise SystemExit("\n".join([f"{self.name} has ended:", *lines]))

    def family(self) -> list[psutil.Process]:
        """It and all that it has started."""
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def cpu_s(self, alone: bool = False) -> float:
        """Processor time so far of the family or the process, exact to the microsecond."""
        self.check()
        pids = [self._process.pid] if alone else [one.pid for one in self.family()]
        # The clock of a process's processor time, as clock_getcpuclockid(3) names it.
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)

    def memory_mib(self) -> tuple[float, float]:
        """Resident and proportional size of the family."""
        sizes = [one.memory_full_info() for one in self.family()]
        return sum(one.rss for one in sizes) / MIB, sum(one.pss for one in sizes) / MIB

    def end(self) -> None:
        """Ask it to end, once; and make sure."""
        family = self.family() if self._process.poll() is None else []
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for left in psutil.wait_procs(family, timeout=2.0)[1]:
            left.kill()


@contextmanager
def running(processes: Sequence[Process]) -> Iterator[Sequence[Process]]:
    """Processes that are ended afterwards."""
    try:
        yield processes
    finally:
        for process in processes:
            process.end()


def costs(processes: Sequence[Process], seconds: float, alone: bool = False) -> Costs:
    """Cores that each process took, with or without its children, window by window."""
    taken: Costs = {process.name: [] for process in processes}
    for _ in range(max(1, round(seconds / WINDOW_S))):
        begin_s = time.monotonic()
        before = {process.name: process.cpu_s(alone) for process in processes}
        time.sleep(WINDOW_S)
        for process in processes:
            passed_s = time.monotonic() - begin_s
            taken[process.name].append((process.cpu_s(alone) - before[process.name]) / passed_s)
    return taken


def nodes_of(plan: LaunchPlan, folder: Path) -> list[Process]:
    """The nodes of a plan, each in a process."""
    return [
        Process(
            spec.name,
            ["-m", f"robot_learning.ros.{spec.executable}", *node_arguments(spec)],
            folder,
        )
        for spec in plan.nodes
    ]


class Paces:
    """What the nodes of a graph tell of their rates."""

    def __init__(self, ear: Ear) -> None:
        self.reached: dict[str, float] = {}
        ear.node.create_subscription(DiagnosticArray, "diagnostics", self._on, qos.DIAGNOSTICS)

    def _on(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name, _, part = status.name.partition(": ")
            if part == "pace":
                values = {item.key: float(item.value) for item in status.values}
                self.reached[name] = values["rate_hz"] / values["nominal_hz"]


def await_recording(ear: Ear, processes: Sequence[Process]) -> None:
    """Until the first episode is being recorded."""
    heard: dict[str, Any] = {}
    subscription = ear.node.create_subscription(
        String,
        "recorder/status",
        lambda message: heard.update(json.loads(message.data)),
        qos.LATCHED,
    )
    ear.until(lambda: heard.get("recording"), "an episode is recorded", processes)
    ear.node.destroy_subscription(subscription)


# The floor: what the nodes exchange is learned from the graph, then exchanged by bare nodes.


def learned(ear: Ear, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each node its topics: what it takes, and what it publishes with which message, how often.

    Latched topics that are silent for the moment are left out.
    """
    node = ear.node
    takes = {name: dict(node.get_subscriber_names_and_types_by_node(name, "/")) for name in names}
    gives = {name: dict(node.get_publisher_names_and_types_by_node(name, "/")) for name in names}
    kinds = {topic: types[0] for each in gives.values() for topic, types in each.items()}
    heard: dict[str, list[bytes]] = {topic: [] for topic in kinds if topic not in COMMON}
    subscriptions = [
        node.create_subscription(
            message_class(kinds[topic]), topic, got.append, qos.RECORD_IN, raw=True
        )
        for topic, got in heard.items()
    ]
    ear.listen(0.5)
    for got in heard.values():
        del got[:-1]
    ear.listen(LEARN_S)
    for subscription in subscriptions:
        node.destroy_subscription(subscription)
    return {
        name: {
            "rate_hz": RATES_HZ.get(name, RATES_HZ[""]),
            "depth": DEPTHS.get(name, DEPTHS[""]),
            "takes": [
                [topic, types[0], *_policies(node.get_subscriptions_info_by_topic(topic), name)]
                for topic, types in takes[name].items()
                if topic in heard
            ],
            "gives": [
                [
                    topic,
                    kinds[topic],
                    *_policies(node.get_publishers_info_by_topic(topic), name),
                    (len(heard[topic]) - 1) / LEARN_S / node.count_publishers(topic),
                    base64.b64encode(heard[topic][-1]).decode(),
                ]
                for topic in gives[name]
                if len(heard.get(topic, ())) > 1
            ],
        }
        for name in names
    }


def _policies(endpoints: Sequence[Any], name: str) -> tuple[int, int]:
    """Reliability and durability of a node's endpoint, as numbers."""
    (profile, *_) = [one.qos_profile for one in endpoints if one.node_name == name]
    return int(profile.reliability), int(profile.durability)


def bare_nodes(exchanged: Mapping[str, Any], folder: Path) -> list[Process]:
    """The processes that do nothing but that."""
    path = folder / "exchanged.json"
    path.write_text(json.dumps(exchanged), encoding="utf-8")
    return [
        Process(f"{BARE_PREFIX}{name}", [BARE, "exchange", name, str(path)], folder)
        for name in exchanged
    ]


def real_time(folder: Path, seconds: float, repetitions: int) -> tuple[list[Row], float]:
    """The six nodes beside their floors; and the floor of the arbiter."""
    taken: Costs = {}
    floor: Costs = {}
    for repetition in range(repetitions):
        place = folder / f"real_time_{repetition}"
        place.mkdir()
        ear = Ear()
        paces = Paces(ear)
        with running(nodes_of(DAGGER.resolve(session(place, lockstep=False)), place)) as nodes:
            await_recording(ear, nodes)
            ear.listen(WARM_UP_S)
            exchanged = learned(ear, [node.name for node in nodes])
            with running(bare_nodes(exchanged, place)) as bare:
                ear.until(
                    lambda: all(node.name in ear.node.get_node_names() for node in bare),  # noqa: B023
                    "the bare nodes run",
                    [*nodes, *bare],
                )
                ear.listen(WARM_UP_S)
                found = costs([*nodes, *bare], seconds)
            ear.listen(1.0)
            sizes = {node.name: node.memory_mib() for node in nodes}
        ear.close()
        bare_share = min(float(node.output.split()[-1]) for node in bare)
        for node in nodes:
            taken.setdefault(node.name, []).extend(found[node.name])
            floor.setdefault(node.name, []).extend(found[f"{BARE_PREFIX}{node.name}"])
    rows = []
    for name, cores in taken.items():
        mark = ARBITER_MARK if name == ARBITER else NODE_MARK
        rows += [
            Row(f"{name}: CPU", _percent(cores), "% of a core"),
            Row(f"{name}: its floor", _percent(floor[name]), "% of a core"),
            Row(f"{name}: CPU / floor", ratio(cores, floor[name]), "", f"<= {mark:g}"),
            Row(f"{name}: RSS, PSS", _one(sizes[name][0]), f"MiB, {sizes[name][1]:.0f} MiB"),
        ]
        if name in paces.reached:
            rows.append(Row(f"{name}: share of its rate", _one(paces.reached[name]), ""))
    arbiter = Spread.of(floor[ARBITER]).median
    whole, bare_whole = _sums(taken), _sums(floor)
    scale = arbiter / REFERENCE_FLOOR
    rows += [
        Row("six nodes: CPU", Spread.of(whole), "cores", f"<= {GRAPH_MARK * scale:.3f}"),
        Row("six nodes: their floors", Spread.of(bare_whole), "cores"),
        Row("bare nodes: least share of their rates", _one(bare_share), ""),
        Row(
            "six nodes, where the arbiter's floor is 0.10",
            Spread.of([one / scale for one in whole]),
            "cores",
            f"<= {GRAPH_MARK:g}",
        ),
        Row("six nodes: RSS", _one(sum(rss for rss, _ in sizes.values())), "MiB"),
        Row("six nodes: PSS", _one(sum(pss for _, pss in sizes.values())), "MiB"),
    ]
    return rows, arbiter


def with_cameras(folder: Path, seconds: float, arbiter_floor: float) -> list[Row]:
    """The six nodes, three cameras being recorded."""
    place = folder / "cameras"
    place.mkdir()
    robot = str(three_camera_robot(place, ROBOT))
    given = session(place, lockstep=False, robot=robot)
    plan = DAGGER.resolve(given)
    ear = Ear()
    with running([Process("cameras", [BARE, "cameras", robot], place)]):
        nodes = [
            Process(
                spec.name,
                [
                    *("-m", f"robot_learning.ros.{spec.executable}", *node_arguments(spec)),
                    # They come from elsewhere.
                    *(("-p", "cameras:=[none]") if spec.executable == "robot_node" else ()),
                ],
                place,
            )
            for spec in plan.nodes
        ]
        with running(nodes):
            await_recording(ear, nodes)
            ear.listen(WARM_UP_S)
            taken = costs(nodes, seconds)
    ear.close()
    scale = arbiter_floor / REFERENCE_FLOOR
    whole = _sums(taken)
    return [
        *(
            Row(f"cameras, {name}: CPU", _percent(cores), "% of a core")
            for name, cores in taken.items()
        ),
        Row("cameras, six nodes: CPU", Spread.of(whole), "cores", f"<= {CAMERAS_MARK * scale:.3f}"),
        Row(
            "cameras, six nodes, where the arbiter's floor is 0.10",
            Spread.of([one / scale for one in whole]),
            "cores",
            f"<= {CAMERAS_MARK:g}",
        ),
    ]


def while_training(folder: Path, seconds: float) -> list[Row]:
    """The six nodes while an episode is recorded, and while the round trains."""
    place = folder / "training"
    place.mkdir()
    given = session(place, lockstep=False)
    given |= {"episodes_per_round": "1", "settings": json.dumps(ENDLESS_TRAINING)}
    ear = Ear()
    status: dict[str, Any] = {}
    ear.node.create_subscription(
        String,
        "dagger/status",
        lambda message: status.update(json.loads(message.data)),
        qos.LATCHED,
    )
    with running(nodes_of(DAGGER.resolve(given), place)) as nodes:
        await_recording(ear, nodes)
        ear.listen(WARM_UP_S)
        recording = costs(nodes, WINDOW_S)
        ear.until(lambda: status.get("phase") == "training", "the round trains", nodes)
        # Until the process that trains has loaded what it needs.
        ear.listen(2 * WARM_UP_S)
        holding = costs(nodes, seconds, alone=True)
        family = costs(nodes, seconds)
    ear.close()
    dagger, whole = "dagger_node", Spread.of(_sums(recording)).median
    trained = [one - Spread.of(holding[dagger]).median for one in family[dagger]]
    return [
        *(
            Row(f"training, {name}: CPU", _percent(cores), "% of a core")
            for name, cores in holding.items()
        ),
        Row("recording, six nodes: CPU", Spread.of(_sums(recording)), "cores"),
        Row("training, six nodes: CPU", Spread.of(_sums(holding)), "cores"),
        Row(
            "training: CPU of the graph / recording",
            Spread.of([one / whole for one in _sums(holding)]),
            "",
            f"<= {TRAINING_MARK:g}",
        ),
        Row("training: what it gets itself", Spread.of(trained), "cores"),
    ]


def in_lockstep(folder: Path, seconds: float, cores: int) -> list[Row]:
    """The session as one process, on so many cores."""
    place = folder / f"lockstep_{cores}"
    place.mkdir()
    given = session(place, lockstep=True)
    arguments = [f"{name}:={value}" for name, value in given.items() if value]
    usable = sorted(os.sched_getaffinity(0))[:cores]
    ear = Ear()
    stamps: list[int] = []
    ear.node.create_subscription(
        Clock,
        "/clock",
        lambda message: stamps.append(time_ns(message.clock)),
        qos.CLOCK,
    )
    begin_s = time.monotonic()
    command = Process(
        "dagger",
        ["-m", "robot_learning.cli.main", "dagger", *arguments],
        place,
        lambda: os.sched_setaffinity(0, usable),
    )
    with running([command]):
        ear.until(lambda: stamps, "simulated time passes", [command])
        first_s, first_cpu_s = time.monotonic() - begin_s, command.cpu_s()
        await_recording(ear, [command])
        ear.listen(WARM_UP_S)
        speeds, burdens = [], []
        for _ in range(max(1, round(seconds / WINDOW_S))):
            begin_s, begin_ns, begin_cpu_s = time.monotonic(), stamps[-1], command.cpu_s()
            ear.listen(WINDOW_S)
            passed_s, simulated_s = time.monotonic() - begin_s, (stamps[-1] - begin_ns) * 1e-9
            speeds.append(simulated_s / passed_s)
            burdens.append(simulated_s / (command.cpu_s() - begin_cpu_s))
        peak_mib = sum(_peak_mib(one) for one in command.family())
        _, pss_mib = command.memory_mib()
    ear.close()
    mark = {1: ">= 1.2"}.get(cores, ">= 2")
    what = f"lockstep, {cores} core{'s' * (cores > 1)}"
    return [
        Row(f"{what}: simulated seconds a second", Spread.of(speeds), "", mark),
        Row(f"{what}: simulated seconds a CPU second", Spread.of(burdens), "", mark),
        Row(f"{what}: from the command to the first tick", _one(first_s), "s", "<= 5"),
        Row(f"{what}: processor time until then", _one(first_cpu_s), "s", "<= 5"),
        Row(f"{what}: peak memory", _one(peak_mib), f"MiB, PSS {pss_mib:.0f} MiB", "<= 500"),
    ]


def _peak_mib(process: psutil.Process) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return float(peak) / 1024.0


def _sums(taken: Costs) -> list[float]:
    return [sum(window) for window in zip(*taken.values(), strict=True)]


def _percent(cores: Sequence[float]) -> Spread:
    return Spread.of([100.0 * one for one in cores])


def _one(value: float) -> Spread:
    return Spread.of([value])


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--only", choices=("real_time", "cameras", "training", "lockstep"))
    given = parser.parse_args()
    rows: list[Row] = []
    arbiter_floor = REFERENCE_FLOOR
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only in (None, "real_time"):
            rows, arbiter_floor = real_time(folder, given.seconds, given.repetitions)
        if given.only in (None, "cameras"):
            rows += with_cameras(folder, given.seconds, arbiter_floor)
        if given.only in (None, "training"):
            rows += while_training(folder, given.seconds)
        if given.only in (None, "lockstep"):
            for cores in sorted({len(os.sched_getaffinity(0)), 1}, reverse=True):
                rows += in_lockstep(folder, given.seconds, cores)
    report("graph", rows, {"seconds": given.seconds, "repetitions": given.repetitions})


if __name__ == "__main__":
    main()
