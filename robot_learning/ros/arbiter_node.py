"""`arbiter_node`: the only publisher of `joint_command`; decides who drives, within limits.

It ticks at a fixed rate on the steady clock. Receipts are timed on the steady clock too, stamps
are compared with the node's clock, so that a ROS time that stops or steps back holds the policy
and nothing else. When it ends it just stops publishing: the robot holds its last command.

This is no certified emergency stop.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from functools import partial
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.control.arbiter import Arbiter
from robot_learning.control.commands import Measured, RawCommand
from robot_learning.control.requests import Request
from robot_learning.control.settings import ArbiterTolerances, arbiter_settings
from robot_learning.control.state import ArbiterState, Decision, Inputs
from robot_learning.core.clocks import NS_PER_S, Instant
from robot_learning.core.errors import CommandError
from robot_learning.core.options.arbiter import ArbiterOptions
from robot_learning.core.pacing import ARBITER_PRIORITY, Pacer, RateReport
from robot_learning.core.profile_loader import load_profile
from robot_learning.core.vocabulary import Mode
from robot_learning.messages.joint_collector import JointCollector
from robot_learning.messages.stamps import header_stamp_ns, time_ns
from robot_learning.nodes.arbiter import ArbiterNodeSettings
from robot_learning.ros.arbiter.demonstration_trigger import DemonstrationTrigger
from robot_learning.ros.arbiter.demonstrations import Demonstrations
from robot_learning.ros.arbiter.outputs import ArbiterDiagnostics, CommandOutput, DecisionOutput
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host, SteppedDefaults
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.common.topic_types import who_publishes
from robot_learning.sim.end_effectors import WorkspaceBoxes

REPORT_PERIOD_S = 1.0
# Without a robot there is nothing to command. Often enough to be no pause of the arbiter's own,
# which would make it start again from rest.
IDLE_RATE_HZ, IDLE_AFTER_S = 10.0, 1.0
SLOW_PERIODS = 3.0


class ArbiterNode(SteppedDefaults, Node):  # type: ignore[misc]
    """Feeds the arbiter with messages and publishes what it decides."""

    def __init__(self, host: Host) -> None:
        super().__init__("arbiter_node", **host.node_options)
        self._steady = host.clock
        given = declare_settings(self, ArbiterNodeSettings, self._on_change)
        self._profile = profile = load_profile(given.robot)
        bounds = {each.name: getattr(given, each.name) for each in fields(ArbiterOptions)}
        rate_hz = given.rate_hz or profile.control_rate_hz
        slowest_s = SLOW_PERIODS / (rate_hz * given.sim_speed)
        # A slow simulation makes every source slow, by the steady clock. In real time a bound that
        # is too small is refused rather than raised: it is a safety bound.
        if given.sim_speed < 1.0:
            for name in ("human_timeout_s", "policy_timeout_s", "measured_timeout_s"):
                bounds[name] = max(bounds[name], slowest_s)
        bounds["stall_s"] = max(ArbiterTolerances.stall_s, slowest_s)
        settings = arbiter_settings(profile, rate_hz, **bounds)
        boxes = given.workspace and profile.sim is not None
        self._measured_timeout_s = settings.tolerances.measured_timeout_s
        self._arbiter = Arbiter(settings, WorkspaceBoxes(profile) if boxes else None)
        if given.workspace and not boxes:
            text = "the profile has no MJCF model, so that the workspace boxes are not watched"
            self.get_logger().warning(text)
        self._state = ArbiterState()
        self._inbox: dict[str, Any] = {}
        self._joints = JointCollector(profile.joint_names)
        self._autostart = given.autostart
        real_time = given.real_time and given.sim_speed == 1.0
        self.priority = ARBITER_PRIORITY if real_time else None
        self._pacer = Pacer(rate_hz * given.sim_speed, host.clock)
        self._idle_pacer = Pacer(min(IDLE_RATE_HZ, rate_hz * given.sim_speed), host.clock)
        self._idle = False
        self._rate: RateReport | None = None
        self._reported_ns = 0
        self._demonstrations = Demonstrations(profile, given.demonstrating, given.noise)
        self._command = CommandOutput(self, profile, given.output, given.time_from_start_s)
        self._columns = DecisionOutput(self, profile)
        self._diagnostics = ArbiterDiagnostics(self, profile)
        for topic in ("teleop", "policy"):
            self.create_subscription(
                JointTrajectory, f"{topic}/command", partial(self._on_command, topic), qos.COMMAND
            )
        self.create_subscription(JointState, "joint_states", self._on_joints, qos.JOINTS_IN)
        for request in Request:
            self.create_service(Trigger, f"~/{request.value}", partial(self._on_request, request))
        self._trigger = DemonstrationTrigger(self, given.demonstrations_follow)

    def close(self) -> None:
        """Release the node. Nothing is sent: the robot holds its last command."""
        self.destroy_node()

    def _now(self) -> Instant:
        return Instant(steady_ns=self._steady.now_ns(), ros_ns=self.get_clock().now().nanoseconds)

    @property
    def pacer(self) -> Pacer:
        """Slower while nothing can be commanded, nor is a robot heard."""
        return self._idle_pacer if self._idle else self._pacer

    def step(self) -> None:
        """Decide once, from what has arrived since the last time."""
        now, inbox = self._now(), self._inbox
        self._inbox = {}
        inputs = Inputs(
            human=tuple(inbox.get("teleop", ())),
            policy=tuple(inbox.get("policy", ())),
            measured=inbox.get("measured"),
            requests=self._starting(),
            unusable=tuple(inbox.get("unusable", ())),
            demonstration=self._demonstrations.running,
        )
        self._state, decision = self._arbiter.step(self._state, inputs, now)
        if decision.publish:
            self._command.publish(decision)
        noise_set = self._demonstrations.is_noisy
        self._columns.publish(decision, now.ros_ns, self._rate, noise_set)
        self._log(decision)
        self._rest_or_work(decision)
        if now.steady_ns - self._reported_ns >= REPORT_PERIOD_S * NS_PER_S:
            self._reported_ns = now.steady_ns
            self._rate = self._pacer.meter.report()
            self._diagnostics.publish(decision, now.ros_ns, self._rate)

    def _rest_or_work(self, decision: Decision) -> None:
        """Decide how often to tick from here on."""
        heard_s = decision.ages.measured_receipt_s
        idle = decision.mode is Mode.DISABLED and heard_s > IDLE_AFTER_S
        if self._idle and not idle:
            self._pacer.restart()
        self._idle = idle

    def _starting(self) -> tuple[Request, ...]:
        """Enable once, as soon as the robot is heard; never again by itself."""
        if not self._autostart or self._state.measured is None:
            return ()
        self._autostart = False
        return (Request.ENABLE,)

    def _log(self, decision: Decision) -> None:
        for change in decision.transitions:
            text = f"{change.before.name} -> {change.after.name}: {change.reason}"
            if change.after is Mode.FAULT:
                self.get_logger().error(text)
            else:
                self.get_logger().info(text)
        for response in decision.responses:
            if not response.accepted:
                self.get_logger().warning(response.text)

    def _on_command(self, source: str, message: JointTrajectory) -> None:
        points = message.points
        raw = RawCommand(
            stamp_ns=header_stamp_ns(message),
            receipt_ns=self._steady.now_ns(),
            joint_names=tuple(message.joint_names),
            positions=[point.positions for point in points],
            offsets_s=[time_ns(point.time_from_start) / NS_PER_S for point in points],
        )
        self._inbox.setdefault(source, []).append(raw)

    def _on_joints(self, message: JointState) -> None:
        joints = self._joints
        try:
            sample = joints.collect(message, self._steady.now_ns())
            if sample is None and joints.is_stuck:
                raise CommandError(joints.lacking(message.name))
            if sample is not None and sample.oldest_receive_ns != sample.receive_ns:
                late = joints.overdue(message.name, sample.receive_ns, self._measured_timeout_s)
                if late:
                    raise CommandError(late)
        except CommandError as error:
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            self._inbox.setdefault("unusable", []).append(str(error))
            return
        if sample is not None:
            self._inbox["measured"] = Measured.collected(sample)

    def _on_request(
        self, request: Request, _message: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        self._state, answer = self._arbiter.request(self._state, request, self._now())
        text = answer.text
        if not answer.accepted and self._state.measured is None:
            text += who_publishes(self, "joint_states", JointState)
        response.success, response.message = answer.accepted, text
        return response

    def _on_change(self, after: ArbiterNodeSettings) -> None:
        self._demonstrations.change(after.demonstrating, after.noise)


create = ArbiterNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
