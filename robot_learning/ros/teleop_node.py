"""`teleop_node`: a human's device becomes `teleop/command`, at a fixed rate while engaged.

While nobody is engaged nothing is published: the arbiter takes that silence for letting go. A
press does not wait for the next tick: it is answered at once, by one step more between two ticks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import ConfigurationError, MessageError
from robot_learning.core.pacing import Pacer
from robot_learning.core.profile_loader import load_profile
from robot_learning.messages.arbiter_state import TOPIC as ARBITER_TOPIC
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.nodes.teleop import TeleopNodeSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.host import Host, SteppedDefaults
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.pace_diagnostics import PaceInput
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.common.serialized import Trajectories
from robot_learning.ros.session.status import TOPIC
from robot_learning.ros.teleop.devices import build_device, build_kinematics
from robot_learning.ros.teleop.inputs import TeleopInputs
from robot_learning.ros.teleop.status import help_text, operator_status, read_state
from robot_learning.teleop.device import ARBITER_EVENTS, OperatorEvent, TeleopInput
from robot_learning.teleop.device_line import DeviceLine
from robot_learning.teleop.engagement import ReengageDetector
from robot_learning.teleop.status_line import StatusTerminal
from robot_learning.teleop.teleop_controller import (
    DISENGAGED,
    Speeds,
    TeleopController,
)

STATUS_PERIOD_S = 0.1
SUSPENDED_S = 0.3
"""After a pause of the loop longer than this the operator must engage again: a person whom the
arm could surprise, not a script."""
REENGAGED_S = 0.3
"""Twice the arbiter's usual timeout of a silent operator."""
LARGEST_PART = 0.9
"""Of a tick's step, that a press may take beforehand."""
SERVICES = {"align": OperatorEvent.ALIGN, "engage": OperatorEvent.TAKE_OVER}
SERVICES |= {"release": OperatorEvent.HOLD, "watch": OperatorEvent.START}
ARBITER_SERVICES = {event: event.value for event in ARBITER_EVENTS} | {OperatorEvent.HALT: "stop"}


class TeleopNode(SteppedDefaults, Node):  # type: ignore[misc]
    """Polls the device, turns its intent into joint targets, and shows the status line."""

    def __init__(self, host: Host) -> None:
        super().__init__("teleop_node", **host.node_options)
        self._host, self._steady = host, host.clock
        settings = declare_settings(self, TeleopNodeSettings)
        self._profile = profile = load_profile(settings.robot)
        self._device, poses = build_device(settings, profile)
        self._scripted = settings.device == "scripted"
        if host.is_lockstep and not self._scripted:
            raise ConfigurationError(
                f"device '{settings.device}': a person's device lives in real time; in lockstep "
                "only 'scripted' can drive"
            )
        speeds = Speeds(
            linear_m_s=(settings.linear_slow_m_s, settings.linear_fast_m_s),
            angular_rad_s=(settings.angular_slow_rad_s, settings.angular_fast_rad_s),
            joint_fraction=(settings.joint_slow_fraction, settings.joint_fast_fraction),
        )
        self._controller = TeleopController(profile, build_kinematics(profile), speeds)
        self._state = DISENGAGED
        self._reengagement = ReengageDetector(REENGAGED_S)
        self._arbiter_text = ""
        self._recorder: Mapping[str, Any] = {}
        self._session: Mapping[str, Any] = {}
        self._rounds: Mapping[str, Any] = {}
        self._disagreement: Mapping[str, Any] = {}
        self.pacer = Pacer(settings.rate_hz, host.clock)
        self._period_s = 1.0 / settings.rate_hz
        self._last_ns: int | None = None
        self._ahead_s = 0.0
        self._shown_ns = 0
        self._pace = PaceInput(self, host.clock)
        self._inputs = TeleopInputs(self, profile, self._device, self._steady, poses)
        self._health = DeviceLine()
        self._commands = self.create_publisher(JointTrajectory, "teleop/command", qos.COMMAND)
        self._command = Trajectories(profile.joint_names)
        self._events = self.create_publisher(String, "teleop/event", qos.EVENT)
        self.create_subscription(String, ARBITER_TOPIC, self._on_arbiter, qos.LATCHED)
        self.create_subscription(String, "recorder/status", self._on_recorder, qos.LATCHED)
        self.create_subscription(String, TOPIC, self._on_session, qos.LATCHED)
        self.create_subscription(String, "dagger/status", self._on_rounds, qos.LATCHED)
        self.create_subscription(String, "policy/doubt", self._on_disagreement, qos.LATCHED)
        self._arbiter_calls = {
            event: self.create_client(Trigger, f"{settings.arbiter_node}/{service}")
            for event, service in ARBITER_SERVICES.items()
        }
        for name, event in SERVICES.items():
            self.create_service(Trigger, f"~/{name}", partial(self._on_service, event))
        self._pressed = False
        self._device.on_press(self._note_press)
        self._show = settings.status == "auto"
        self._terminal = StatusTerminal()
        self._resources = ExitStack()

    def start(self) -> None:
        """Take hold of the device and, where the status is shown, of the terminal.

        Raises:
            RobotLearningError: the device is not there.
        """
        self._resources.enter_context(self._device)
        if self._show:
            self._resources.enter_context(self._terminal)
            self._terminal.print(self._device.describe())

    def close(self) -> None:
        """Release the device, the terminal and the node."""
        self._resources.close()
        self.destroy_node()

    def step(self) -> None:
        """Poll the device and publish, less what a press has taken beforehand."""
        self._tick(self._steady.now_ns(), self._period_s - self._ahead_s)
        self._ahead_s = 0.0

    def _note_press(self) -> None:
        """From the device's own thread."""
        self._pressed = True
        self._host.wake()

    def react(self) -> None:
        """Take a part of the coming tick's step now; once, however many keys are pressed."""
        if not self._pressed:
            return
        self._pressed = False
        now_ns = self._steady.now_ns()
        if self._last_ns is None or self._ahead_s > 0.0:
            return
        since_s = (now_ns - self._last_ns) / NS_PER_S
        self._ahead_s = min(since_s, LARGEST_PART * self._period_s)
        self._tick(now_ns, self._ahead_s)

    def _tick(self, now_ns: int, step_s: float) -> None:
        """Poll, publish and show; `step_s` is how far the target moves on."""
        pause_s = 0.0 if self._last_ns is None else (now_ns - self._last_ns) / NS_PER_S
        self._last_ns = now_ns
        if pause_s > SUSPENDED_S and not self._scripted:
            self._device.handle(OperatorEvent.HOLD)
        context = self._inputs.context(now_ns)
        wanted = self._device.poll(now_ns, context)
        for event in wanted.events:
            self._raise_event(event)
        self._state, command = self._controller.step(self._state, wanted, context, step_s)
        if command.position is not None:
            stamp_ns = self.get_clock().now().nanoseconds
            self._commands.publish(self._command.filled(stamp_ns, command.position))
        if self._reengagement.update(now_ns, wanted.engaged):
            self._ask_arbiter(OperatorEvent.TAKE_OVER)
        self._log_health(now_ns, wanted)
        if now_ns - self._shown_ns >= STATUS_PERIOD_S * NS_PER_S:
            self._shown_ns = now_ns
            if self._show:
                rate_hz = self.pacer.meter.report().rate_hz
                limits, age_s = command.warnings, self._inputs.age_s("arbiter", now_ns)
                self._terminal.show(
                    operator_status(
                        self._arbiter_state(),
                        age_s,
                        wanted,
                        limits,
                        rate_hz,
                        recorder=self._recorder,
                        session=self._session,
                        keys=self._device.event_keys,
                        rounds=self._rounds,
                        disagreement=self._disagreement,
                        slow=self._pace.brief,
                    )
                )

    def _raise_event(self, event: OperatorEvent) -> None:
        self._events.publish(String(data=event.value))
        if event is OperatorEvent.HELP:
            self._terminal.print(self._device.describe())
        self._ask_arbiter(event)

    def _ask_arbiter(self, event: OperatorEvent) -> None:
        client = self._arbiter_calls.get(event)
        if client is None:
            return
        if not client.service_is_ready():
            self._warn(f"{event.value}: no arbiter offers {client.srv_name}")
            return
        client.call_async(Trigger.Request()).add_done_callback(partial(self._on_answer, event))

    def _on_answer(self, event: OperatorEvent, future: Future[Trigger.Response]) -> None:
        answer = future.result()
        if answer is not None and not answer.success:
            self._warn(f"{event.value} was refused: {answer.message}")

    def _warn(self, text: str) -> None:
        self._terminal.clear()
        self.get_logger().warning(text)

    def _on_service(
        self, event: OperatorEvent, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        self._device.handle(event)
        response.success, response.message = True, f"sent to the device: {event.value}"
        return response

    def _on_arbiter(self, message: String) -> None:
        # Read only when it is shown: there is one a tick.
        self._arbiter_text = message.data
        self._inputs.heard("arbiter")

    def _arbiter_state(self) -> ArbiterStateMessage | None:
        try:
            return ArbiterStateMessage.from_json(self._arbiter_text)
        except MessageError:
            return None  # empty before the first report

    def _on_recorder(self, message: String) -> None:
        self._recorder = read_state(message.data) or {}

    def _on_session(self, message: String) -> None:
        self._session = read_state(message.data) or {}

    def _on_rounds(self, message: String) -> None:
        self._rounds = read_state(message.data) or {}

    def _on_disagreement(self, message: String) -> None:
        before, self._disagreement = self._disagreement, read_state(message.data) or {}
        if (text := help_text(self._disagreement)) and not help_text(before):
            self._warn(f"{text}: take over, bring it past this place, and hand back")

    def _log_health(self, now_ns: int, wanted: TeleopInput) -> None:
        if text := self._health.update(now_ns, wanted.health.reason):
            self._terminal.clear()
            self.get_logger().info(f"device: {text}")


create = TeleopNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
