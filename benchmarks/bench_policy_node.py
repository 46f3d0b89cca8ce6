"""What does serving a policy cost, and does a slow policy ever leave the arm without an action?

python benchmarks/bench_policy_node.py [--seconds 25] [--slow-minutes 1] [--delay-ms 300]

Robot, arbiter and policy are processes, as `robot-learning serve` starts them. First the time
from the receipt of an observation until its chunk is sent, less the forward pass itself, with a
perceptron of 2x512 at 50 Hz. Then every inference is made to take `--delay-ms` longer, and for
`--slow-minutes` the policy drives by asynchronous chunks (10 minutes for the figure in
docs/results/performance.md).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
import torch
from diagnostic_msgs.msg import DiagnosticArray
from harness import Row, Spread, report, take_turns
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String

from robot_learning.core.profile_loader import load_profile
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.families import make_policy
from robot_learning.policies.policy import Policy
from robot_learning.policies.spec import ObservationSpec, PolicySpec
from robot_learning.ros.common import qos
from robot_learning.serving.backends import EagerBackend, example_inputs

DOMAIN = 61
ROBOT = "desk_arm"
WARM_UP_S = 22.0  # longer than the window of the latencies, which then hold no start-up
PLAIN = {"observation_normalization": "none", "action_normalization": "none"}
SLOWER = """
import sys, time
from robot_learning.serving.local_policy import LocalPolicy
infer = LocalPolicy.infer
def slower(self, windows, prefixes):
    time.sleep({delay_s})
    return infer(self, windows, prefixes)
LocalPolicy.infer = slower
from robot_learning.ros.policy_node import main
sys.exit(main())
"""

Figures = dict[str, str]


def policy_at_home(action_steps: int, executed_steps: int) -> Policy:
    """A perceptron of 2x512 whose last layer only has a bias: it wants the home position."""
    profile = load_profile(ROBOT)
    joints = len(profile.joints)
    spec = PolicySpec(
        (ObservationSpec("obs/joint_position", (joints,)), ObservationSpec("obs/cube", (7,))),
        joints,
        profile.joint_names,
        action_steps=action_steps,
        executed_steps=executed_steps,
    )
    policy = make_policy("deterministic", spec, None, {"hidden": [512, 512], **PLAIN}).eval()
    last = [module for module in policy.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.from_numpy(np.tile(profile.home, action_steps)))
    return policy


def bare_forward_ms(policy: Policy) -> Spread:
    """The forward pass alone, in this process."""
    torch.set_num_threads(1)
    backend = EagerBackend(policy)
    observation, noise = example_inputs(policy, 1)
    seconds = take_turns({"bare": lambda: backend.act(observation, noise)}, 500)["bare"]
    return Spread.of([one * 1e3 for one in seconds])


class Graph:
    """Robot, arbiter and policy in a domain of their own, watched."""

    def __init__(self, checkpoint: Path, delay_s: float, drive: bool) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=DOMAIN)
        self._node = rclpy.create_node("watcher", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.figures: Figures = {}
        self.modes: dict[str, int] = {}
        self.reasons: list[str] = []
        self._node.create_subscription(
            DiagnosticArray, "diagnostics", self._on_diagnostics, qos.DIAGNOSTICS
        )
        self._node.create_subscription(String, "arbiter/state", self._on_state, qos.LATCHED)
        policy = ["-c", SLOWER.format(delay_s=delay_s)]
        if not delay_s:
            policy = ["-m", "robot_learning.ros.policy_node"]
        asks = str(drive).lower()
        self._processes = [
            _start(["-m", "robot_learning.ros.robot_node"], "cameras:=[none]"),
            # A robot that is late on a busy machine is not what is measured.
            _start(
                ["-m", "robot_learning.ros.arbiter_node"],
                *("autostart:=true", "measured_timeout_s:=1.0", "measured_fault_s:=5.0"),
            ),
            _start(policy, f"checkpoint:={checkpoint}", f"drive:={asks}", "backend:=eager"),
        ]

    def watch(self, seconds: float) -> None:
        """Serve the subscriptions for so long; little else, as the machine is measured."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.2)

    def until_proposing(self) -> None:
        """Wait for the policy's first chunk."""
        self._until(lambda: int(self.figures.get("chunks", "0")) > 0, "proposed anything")

    def until_driving(self) -> None:
        """Wait until the policy drives."""
        self._until(lambda: "POLICY" in self.modes, f"drove: {self.modes}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + 60.0
        while not condition():
            if time.monotonic() > end_s:
                raise SystemExit(f"the policy never {what}")
            self.watch(0.2)

    def close(self) -> None:
        """End everything."""
        for process in self._processes:
            process.send_signal(signal.SIGINT)
        for process in self._processes:
            process.wait(20)
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith("policy_node: arm"):
                self.figures = {entry.key: entry.value for entry in status.values}

    def _on_state(self, message: String) -> None:
        state = json.loads(message.data)
        mode = str(state["mode"])
        self.modes[mode] = self.modes.get(mode, 0) + 1
        self.reasons += [
            f"{before} -> {after}: {why}" for before, after, why in state["transitions"]
        ]


def _start(command: list[str], *parameters: str) -> subprocess.Popen[bytes]:
    arguments = [part for parameter in parameters for part in ("-p", parameter)]
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "OMP_NUM_THREADS": "1",
    }
    whole = [sys.executable, *command, "--ros-args", "--log-level", "warn", *arguments]
    return subprocess.Popen(whole, env=environment)


def overhead(folder: Path, action_steps: int, seconds: float) -> list[Row]:
    """A chunk asked for with every step, while nobody drives."""
    policy = policy_at_home(action_steps, 1)
    save_checkpoint(folder, policy, CheckpointDetails(ROBOT, task="lift"))
    graph = Graph(folder, 0.0, drive=False)
    try:
        graph.until_proposing()
        graph.watch(WARM_UP_S + seconds)
        figures = graph.figures
    finally:
        graph.close()
    rows = [Row(f"{action_steps} steps: bare forward pass", bare_forward_ms(policy), "ms")]
    for name, bound in (("inference", ""), ("overhead", "<= 2"), ("delay", "")):
        for quantile in ("p50", "p99"):
            value = Spread.of([float(figures[f"{name}_{quantile}_ms"])])
            limit = bound if quantile == "p99" else ""
            rows.append(Row(f"{action_steps} steps: {name} {quantile}", value, "ms", limit))
    return rows


def slow(folder: Path, delay_s: float, minutes: float) -> list[Row]:
    """The policy drives, each inference taking `delay_s` longer."""
    save_checkpoint(folder, policy_at_home(50, 25), CheckpointDetails(ROBOT, task="lift"))
    graph = Graph(folder, delay_s, drive=True)
    try:
        graph.until_driving()
        graph.modes.clear()
        graph.reasons.clear()
        graph.watch(60.0 * minutes)
        figures, modes = graph.figures, dict(graph.modes)
    finally:
        graph.close()
    for reason in graph.reasons:
        print(f"the arbiter changed its mode: {reason}")
    ticks = sum(modes.values())
    name = f"{delay_s * 1e3:.0f} ms slower, {minutes:g} min"
    return [
        Row(
            f"{name}: steps that starved", Spread.of([float(figures["starved_ticks"])]), "", "<= 0"
        ),
        Row(
            f"{name}: arbiter's states not in POLICY",
            Spread.of([float(ticks - modes.get("POLICY", 0))]),
            f"of {ticks}",
            "<= 0",
        ),
        Row(f"{name}: chunks", Spread.of([float(figures["chunks"])]), ""),
        Row(f"{name}: delay p99", Spread.of([float(figures["delay_p99_ms"])]), "ms"),
    ]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--slow-minutes", type=float, default=1.0)
    parser.add_argument("--delay-ms", type=float, default=300.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        if given.seconds > 0.0:
            for action_steps in (1, 16, 100):
                rows += overhead(Path(folder) / str(action_steps), action_steps, given.seconds)
        if given.slow_minutes > 0.0:
            rows += slow(Path(folder) / "slow", given.delay_ms * 1e-3, given.slow_minutes)
    report("policy_node", rows, spread="value, or median [quartiles]")


if __name__ == "__main__":
    main()
