"""`replay_node`: sends a recorded episode to a running arbiter, as a policy, and compares.

First the arm goes slowly to where the recording begins. Taking the arm over ends the
replay; in the end the arm holds.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.errors import CommandError, ConfigurationError, RobotLearningError
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.turns import TurnCounter, TurnRules
from robot_learning.core.types import FloatArray, Observation
from robot_learning.core.vocabulary import Mode
from robot_learning.episodes.store.episode import Episode
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.messages.joint_collector import JointCollector
from robot_learning.nodes.replay import ReplayNodeSettings
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.common.service_calls import ServiceCalls
from robot_learning.runtime.replay import ReplayResult, approach, deviation, read_recording
from robot_learning.runtime.trajectory_source import TrajectorySource

_HEARING_S = 10.0


class ReplayNode(Node):  # type: ignore[misc]
    """Publishes the recorded actions as chunks, at a fixed rate, and logs where the arm is."""

    def __init__(self, host: Host) -> None:
        super().__init__("replay_node", **host.node_options)
        self._host = host
        settings = declare_settings(self, ReplayNodeSettings)
        if not settings.episode:
            raise ConfigurationError("parameter 'episode': expected the file of an episode")
        with Episode(Path(settings.episode)) as episode:
            self._profile = load_profile(settings.robot or episode.info.robot)
            self._recording = read_recording(episode, settings.column, self._profile)
        self._arbiter = settings.arbiter_node
        self._bound = settings.bound
        self._speed = settings.approach_speed
        self._calls = ServiceCalls(self, host, self._send_if_due)
        self._source: TrajectorySource | None = None
        self._joints = JointCollector(self._profile.joint_names)
        self._turns = TurnCounter(TurnRules.of(self._profile))
        self._measured: FloatArray | None = None
        self._log: list[tuple[int, FloatArray]] = []
        self._mode: Mode | None = None
        self._reason, self._limited = "", 0
        self._modes: Counter[str] = Counter()
        self._publisher = self.create_publisher(JointTrajectory, "policy/command", qos.COMMAND)
        self.create_subscription(JointState, "joint_states", self._on_joints, qos.RECORD_IN)
        listen_to_arbiter(self, self._on_arbiter)
        self._pacer = Pacer(settings.rate_hz, host.clock)

    def lead(self) -> None:
        """Replay, tell the result, end.

        Raises:
            RobotLearningError: the robot or the arbiter is not heard or does not follow.
        """
        result = self._replay()
        for line in result.lines():
            print(line, flush=True)
        strayed = self._bound is not None and float(result.largest.max()) > self._bound
        self._host.finish(1 if strayed else 0)

    def close(self) -> None:
        """Release the node; without its commands the arbiter holds."""
        self.destroy_node()

    def _replay(self) -> ReplayResult:
        calls = self._calls
        heard = "was not heard: is the robot there, in this namespace and domain?"
        calls.wait(lambda: self._measured is not None, f"joint_states {heard}", _HEARING_S)
        calls.wait(lambda: self._mode is not None, f"arbiter/state {heard}", _HEARING_S)
        if self._mode in (Mode.DISABLED, Mode.FAULT):
            advice = "clear_fault and enable" if self._mode is Mode.FAULT else "enable"
            raise RobotLearningError(f"the arbiter is in {self._mode.name}; call {advice} first")
        if self.count_publishers("policy/command") > 1:
            raise RobotLearningError("somebody else sends policy/command; end that policy first")
        assert self._measured is not None  # noqa: S101 (waited for above)
        times_ns, positions, begin_ns = approach(
            self._recording, self._measured, self._profile, self._speed
        )
        self._source = TrajectorySource(times_ns, positions, self._profile.joint_names)
        self._source.reset(0)
        calls.pause(0.1)
        calls.call_until_granted(f"{self._arbiter}/hand_back", 2.0)
        calls.wait(lambda: self._mode is Mode.POLICY, "the arbiter did not take the replay", 2.0)
        self._await(begin_ns)
        self._log.clear()
        self._modes.clear()
        self._limited = 0
        self._await(int(times_ns[-1]))
        origin_ns = self._origin_ns() + begin_ns
        self._source = None
        calls.trigger(f"{self._arbiter}/hold")
        stamps_ns = np.array([stamp_ns - origin_ns for stamp_ns, _ in self._log], np.int64)
        measured = np.array([position for _, position in self._log])
        compared = deviation(self._recording, stamps_ns, measured, self._turns.rules)
        return replace(compared, limited=self._limited, modes=dict(self._modes))

    def _await(self, time_ns: int) -> None:
        """Serve callbacks until `time_ns` of the recording, unless somebody takes the arm over.

        Raises:
            RobotLearningError: somebody did, or there was a fault.
        """
        while self._source_time_ns() < time_ns:
            self._calls.spin()
            if self._mode is not Mode.POLICY:
                mode = "no mode" if self._mode is None else self._mode.name
                text = f"the replay was ended: the arbiter is in {mode}"
                raise RobotLearningError(f"{text}{f' ({self._reason})' if self._reason else ''}")

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _origin_ns(self) -> int:
        """When the source began to send."""
        origin_ns = self._source.begin_ns if self._source else None
        return self._now_ns() if origin_ns is None else origin_ns

    def _source_time_ns(self) -> int:
        return self._now_ns() - self._origin_ns()

    def _send_if_due(self) -> None:
        if not self._pacer.is_due:
            return
        self._pacer.tick()
        if self._source is None or self._measured is None:
            return
        nothing = np.full(len(self._measured), np.nan)
        now = Observation(self._now_ns(), self._measured, nothing, nothing)
        for raw in self._source.poll(now, None).commands:
            self._publisher.publish(
                conversions.trajectory_message(
                    raw.joint_names, np.asarray(raw.positions), raw.offsets_s, raw.stamp_ns
                )
            )

    def _on_joints(self, message: JointState) -> None:
        try:
            sample = self._joints.collect(message, 0)
        except CommandError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        if sample is not None:
            self._measured = self._turns.take(sample.position)
            self._log.append((sample.stamp_ns, self._measured))

    def _on_arbiter(self, state: ArbiterStateMessage) -> None:
        self._mode, self._reason = state.mode, state.reason
        self._modes[state.mode.name] += 1
        self._limited += bool(state.limited.any())


create = ReplayNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
