"""What an arbiter node publishes: the command, the decision's columns, its state, diagnostics.

`arbiter/state` is a std_msgs/String of compact JSON, published with every tick, so that each
row of the columns has its mode, source and limits under the same stamp:

    stamp_ns        stamp of this tick's columns
    tick            number of the tick
    mode            DISABLED, HUMAN, POLICY, HOLD or FAULT
    source          who drives: NONE, HUMAN or POLICY
    publishing      whether this tick's `applied` was sent to the robot
    limited         bits of each joint, in the profile's order: 1 position, 2 velocity,
                    4 acceleration, 8 workspace, 16 handover
    limits_hit      joint -> names of the limits, the same as `limited` for people; only joints
                    with any
    reasons         list: why it is this mode, then what keeps another source from driving
    handover        whether a handover is under way
    noise           whether noise was added to this tick's action
    episode         number of the running demonstration; null outside of one
    policy_epoch    counter that grows when the policy's chunks are flushed; a policy that sees it
                    change resets itself
    ages_s          human, policy, robot -> [receipt, stamp]: seconds since each was last heard,
                    and since that message was stamped; null for never
    refused         "source/kind" -> number of refused messages
    last_refusal    text of the newest refusal; null without one
    transitions     changes of mode since the last tick, each [before, after, reason]
    rate_hz         measured rate of the loop; null before the first report
    jitter_p99_ms   99th percentile of the loop's jitter; null before the first report
    missed_ticks    number of missed ticks
    noise_set       whether the running demonstration is one with noise
"""

from __future__ import annotations

import array
import json
import math
from typing import Any

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
from robot_learning.core.vocabulary import Limit, Mode
from robot_learning.ros.common import conversions, qos
from robot_learning.ros.common.serialized import JointStates, Trajectories

COLUMNS = ("human", "policy", "noise", "requested", "applied")
_compact = json.JSONEncoder(separators=(",", ":")).encode


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
    """Publishes the columns of every decision, with equal stamps, and the state."""

    def __init__(self, node: Node, profile: RobotProfile) -> None:
        self._names = profile.joint_names
        self._columns = {
            name: node.create_publisher(JointState, f"arbiter/{name}", qos.STREAM_OUT)
            for name in COLUMNS
        }
        self._state = node.create_publisher(String, "arbiter/state", qos.LATCHED)
        self._messages = JointStates(self._names)
        self._text = String()

    def publish(
        self, decision: Decision, stamp_ns: int, rate: RateReport | None, noise_set: bool
    ) -> None:
        """One message a column; `applied` carries the commanded velocity too.

        `noise_set` tells whether the running demonstration is one with noise.
        """
        for name, publisher in self._columns.items():
            # Asked first, as a message takes ten times as long as the question.
            if not publisher.handle.get_subscription_count():
                continue
            velocity = decision.velocity if name == "applied" else None
            publisher.publish(self._messages.filled(stamp_ns, getattr(decision, name), velocity))
        document = state_document(decision, self._names, stamp_ns, rate, noise_set)
        self._text.data = _compact(document)
        self._state.publish(self._text)


def state_document(
    decision: Decision,
    joint_names: tuple[str, ...],
    stamp_ns: int,
    rate: RateReport | None,
    noise_set: bool,
) -> dict[str, Any]:
    """`arbiter/state` as described at the top of this file."""
    bits = decision.limited.tolist()
    ages, last = decision.ages, decision.refusals.last
    return {
        "stamp_ns": stamp_ns,
        "tick": decision.tick,
        "mode": decision.mode.name,
        "source": decision.source.name,
        "publishing": decision.publish,
        "limited": bits,
        "limits_hit": {
            name: limit_names(hit) for name, hit in zip(joint_names, bits, strict=True) if hit
        },
        "reasons": decision.reasons,
        "handover": decision.handover,
        "noise": decision.noisy,
        "episode": decision.episode,
        "policy_epoch": decision.policy_epoch,
        "ages_s": {
            "human": [_number(ages.human_receipt_s), _number(ages.human_stamp_s)],
            "policy": [_number(ages.policy_receipt_s), _number(ages.policy_stamp_s)],
            "robot": [_number(ages.measured_receipt_s), _number(ages.measured_stamp_s)],
        },
        "refused": dict(decision.refusals.counts),
        "last_refusal": last.text if last else None,
        "transitions": [
            [change.before.name, change.after.name, change.reason]
            for change in decision.transitions
        ],
        "rate_hz": _number(rate.rate_hz) if rate else None,
        "jitter_p99_ms": _number(rate.jitter_p99_ms) if rate else None,
        "missed_ticks": rate.missed if rate else 0,
        "noise_set": noise_set,
    }


_LIMIT_NAMES = [(int(limit), str(limit.name).lower()) for limit in Limit]


def limit_names(bits: int) -> list[str]:
    """The names of the limits in `bits`, in lower case."""
    return [name for bit, name in _LIMIT_NAMES if bit & bits]


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else round(value, 4)


_LEVELS = {Mode.FAULT: DiagnosticStatus.ERROR, Mode.HOLD: DiagnosticStatus.WARN}


class ArbiterDiagnostics:
    """Publishes what a maintainer wants to see: mode, loop, refused messages."""

    def __init__(self, node: Node, profile: RobotProfile) -> None:
        self._name = node.get_name()
        self._robot = profile.name
        self._refused = self._missed = 0
        self._publisher = node.create_publisher(DiagnosticArray, "diagnostics", qos.DIAGNOSTICS)

    def publish(self, decision: Decision, stamp_ns: int, rate: RateReport) -> None:
        """One status each for the mode, the loop, and the messages that were refused."""
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
