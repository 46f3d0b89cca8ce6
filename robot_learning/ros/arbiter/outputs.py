"""What an arbiter node publishes: the command, the decision, diagnostics."""

from __future__ import annotations

import array
import math

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory

from robot_learning.control.state import Decision
from robot_learning.core.amounts import amount
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.pacing import RateReport
from robot_learning.core.profile import RobotProfile, Ros2ControlInterface
from robot_learning.core.vocabulary import Mode
from robot_learning.messages.arbiter_state import (
    COLUMNS,
    TOPIC,
    Age,
    ArbiterStateMessage,
    ModeChange,
)
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.serialized import JointStates, Trajectories


class CommandOutput:
    """Publishes `joint_command` in the type that the robot takes."""

    def __init__(
        self, node: Node, profile: RobotProfile, output: str, time_from_start_s: float
    ) -> None:
        real = profile.real if isinstance(profile.real, Ros2ControlInterface) else None
        if output == "profile":
            if real is None:
                text = f"robot '{profile.name}' has no ros2_control interface in its profile"
                raise ConfigurationError(f"output: {text}; use joint_trajectory or position_array")
            output = real.command_type
            names = real.joints
        else:
            names = profile.joint_names
        self._is_array = output == "position_array"
        kind = Float64MultiArray if self._is_array else JointTrajectory
        self._order = np.array(profile.joint_indices(names))
        self._trajectories = Trajectories(names)
        self._times_s = (time_from_start_s,)
        self._publisher = node.create_publisher(kind, "joint_command", qos.COMMAND)

    def publish(self, decision: Decision) -> None:
        """Send `applied`, in the turns that the driver counts.

        A JointTrajectory carries no stamp, which is to say "from now on": its receiver may live
        on another clock.
        """
        position = decision.sent[self._order]
        if self._is_array:
            self._publisher.publish(Float64MultiArray(data=array.array("d", position.tobytes())))
            return
        self._publisher.publish(self._trajectories.filled(0, position, self._times_s))


class DecisionOutput:
    """Publishes every decision as one document, and its columns for people and tools."""

    def __init__(self, node: Node, profile: RobotProfile) -> None:
        self._names = profile.joint_names
        self._columns = {
            name: node.create_publisher(JointState, f"arbiter/{name}", qos.STREAM_OUT)
            for name in COLUMNS
        }
        self._state = node.create_publisher(String, TOPIC, qos.LATCHED)
        self._messages = JointStates(self._names)
        self._text = String()

    def publish(
        self, decision: Decision, stamp_ns: int, rate: RateReport | None, noise_set: bool
    ) -> None:
        """The document, and one message a column that somebody listens to.

        The message of `applied` carries the commanded velocity too.

        Args:
            decision: what the arbiter decided in this tick.
            stamp_ns: stamp of the tick.
            rate: newest report on the loop; None before the first one.
            noise_set: whether the running demonstration is one with noise.
        """
        for name, publisher in self._columns.items():
            # Asked first, as a message takes ten times as long as the question.
            if not publisher.handle.get_subscription_count():
                continue
            velocity = decision.velocity if name == "applied" else None
            publisher.publish(self._messages.filled(stamp_ns, getattr(decision, name), velocity))
        state = state_message(decision, self._names, stamp_ns, rate, noise_set)
        self._text.data = state.to_json()
        self._state.publish(self._text)


def state_message(
    decision: Decision,
    joint_names: tuple[str, ...],
    stamp_ns: int,
    rate: RateReport | None,
    noise_set: bool,
) -> ArbiterStateMessage:
    """What `arbiter/state` says of a decision.

    Args:
        decision: what the arbiter decided in this tick.
        joint_names: (n,) names of the joints, in vector order.
        stamp_ns: stamp of the tick.
        rate: newest report on the loop; None before the first one.
        noise_set: whether the running demonstration is one with noise.
    """
    ages, last = decision.ages, decision.refusals.last
    return ArbiterStateMessage(
        stamp_ns=stamp_ns,
        tick=decision.tick,
        mode=decision.mode,
        source=decision.source,
        publishing=decision.publish,
        joints=joint_names,
        columns=np.array([getattr(decision, name) for name in COLUMNS]),
        limited=decision.limited,
        reasons=decision.reasons,
        handover=decision.handover,
        noise=decision.noisy,
        noise_set=noise_set,
        episode=decision.episode,
        policy_epoch=decision.policy_epoch,
        ages={
            "human": Age(ages.human_receipt_s, ages.human_stamp_s),
            "policy": Age(ages.policy_receipt_s, ages.policy_stamp_s),
            "robot": Age(ages.measured_receipt_s, ages.measured_stamp_s),
        },
        refused=decision.refusals.counts,
        last_refusal=last.text if last else None,
        transitions=tuple(
            ModeChange(change.before, change.after, change.reason)
            for change in decision.transitions
        ),
        rate_hz=rate.rate_hz if rate else math.nan,
        jitter_p99_ms=rate.jitter_p99_ms if rate else math.nan,
        missed_ticks=rate.missed if rate else 0,
    )


_LEVELS = {Mode.FAULT: DiagnosticStatus.ERROR, Mode.HOLD: DiagnosticStatus.WARN}


class ArbiterDiagnostics:
    """Publishes what a maintainer wants to see: mode, loop, refused messages."""

    def __init__(self, node: Node, profile: RobotProfile) -> None:
        self._name = node.get_name()
        self._robot = profile.name
        self._refused = self._missed = 0
        self._publisher = node.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)

    def publish(self, decision: Decision, stamp_ns: int, rate: RateReport) -> None:
        """One status each for the mode, the loop, and the messages that were refused.

        Args:
            decision: the newest decision.
            stamp_ns: time of the report.
            rate: newest report on the loop.
        """
        message = DiagnosticArray()
        message.header.stamp = conversions.time_message(stamp_ns)
        counts, last = decision.refusals.counts, decision.refusals.last
        refused = sum(counts.values()) - self._refused
        missed = rate.missed - self._missed
        self._refused, self._missed = self._refused + refused, rate.missed
        refusal = f"{refused} refused: {last.text}" if refused and last else ""
        loop = {
            "rate_hz": f"{rate.rate_hz:.4g}",
            "jitter_p99_ms": f"{rate.jitter_p99_ms:.4g}",
            "missed_ticks": str(rate.missed),
        }
        mode = DiagnosticStatus(
            level=_LEVELS.get(decision.mode, DiagnosticStatus.OK),
            name=f"{self._name}: mode",
            message=f"{decision.mode.name}: {decision.reasons[0]}",
            hardware_id=self._robot,
        )
        message.status = [
            mode,
            self._status("loop", f"{amount(missed, 'tick')} missed" if missed else "", loop),
            self._status("messages", refusal, {k: str(n) for k, n in counts.items()}),
        ]
        self._publisher.publish(message)

    def _status(self, part: str, warning: str, values: dict[str, str]) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if warning else DiagnosticStatus.OK,
            name=f"{self._name}: {part}",
            message=warning or "ok",
            hardware_id=self._robot,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
