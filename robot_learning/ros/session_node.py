"""`session_node`: a recording session of so many episodes, with a reset before each.

A person begins and ends episodes with the keys of their device (`teleop/event`); unattended, for
the scripted operator, an episode begins after the reset and ends with success or by time.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from rclpy.executors import Executor
from rclpy.node import Node
from std_msgs.msg import Bool, String

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.episodes.folder import episode_number
from robot_learning.ros import qos
from robot_learning.ros.node_base import Stop, declare_parameters, run_node
from robot_learning.ros.parameters import SESSION_NODE
from robot_learning.ros.session_calls import PATIENCE_S, Calls, StopRequestedError
from robot_learning.teleop.device import OperatorEvent

_START_PATIENCE_S = 15.0
_RETRY_S = 0.1
_RECORDER_EVENTS = {
    event.value
    for event in (
        OperatorEvent.START,
        OperatorEvent.STOP,
        OperatorEvent.DISCARD,
        OperatorEvent.SUCCESS,
        OperatorEvent.FAILURE,
    )
}


class SessionNode(Node):  # type: ignore[misc]
    """Leads recorder, arbiter, robot and operator through a session."""

    def __init__(self) -> None:
        super().__init__("session_node")
        self._settings = settings = declare_parameters(self, SESSION_NODE)
        self._calls = Calls(self)
        self._recorder: Mapping[str, Any] = {}
        self._mode = ""
        self._measured_ns = 0
        self._begun = False
        self._succeeded_s: float | None = None
        self._events: deque[str] = deque()
        self.create_subscription(String, "recorder/status", self._on_recorder, qos.LATCHED)
        self.create_subscription(String, "arbiter/state", self._on_arbiter, qos.LATCHED)
        self.create_subscription(Bool, "task/success", self._on_success, qos.LATCHED)
        self.create_subscription(String, "teleop/event", self._on_event, qos.EVENT)
        self._unattended = bool(settings["unattended"])

    def run(self, executor: Executor, stop: Stop) -> None:
        """Record the episodes, then end.

        Raises:
            RobotLearningError: a node does not answer or refuses what the session needs.
        """
        self._calls.begin(executor, stop)
        stop.begin()
        try:
            self._session()
            stop.set(0)
        except StopRequestedError:
            return

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    def _now_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _session(self) -> None:
        calls, wanted = self._calls, self._settings["episodes"]
        calls.wait(lambda: self._recorder, "no recorder/status was heard", 2 * PATIENCE_S)
        calls.wait(lambda: self._mode, "no arbiter/state was heard", PATIENCE_S)
        self.get_logger().info(f"{wanted} episodes into {self._recorder['dataset']}")
        while self._recorder["saved"] < wanted:
            self._reset()
            if self._unattended:
                self._unattended_episode()
            else:
                self._attended_episode()
        self.get_logger().info(f"done: {self._recorder['saved']} episodes saved")

    def _reset(self) -> None:
        """Everything back to a beginning, nobody driving, the arm held where it stands."""
        calls, names = self._calls, self._settings
        calls.demand(f"{names['teleop_node']}/release")
        if not names["simulated"]:
            return
        arbiter, robot = names["arbiter_node"], names["robot_node"]
        self._disable(arbiter)
        seed = names["seed"] + episode_number(self._recorder["next"])
        calls.set_parameters(robot, {"reset.seed": seed})
        calls.demand(f"{robot}/reset", _START_PATIENCE_S)
        reset_ns = self._now_ns()
        calls.set_parameters(names["recorder_node"], {"seed": seed})
        # The arbiter must hold where the arm stands now, not where it stood.
        calls.wait(lambda: self._measured_ns >= reset_ns, "the robot is silent", PATIENCE_S)
        calls.demand(f"{arbiter}/enable")
        self._await_streams(reset_ns)

    def _await_streams(self, since_ns: int) -> None:
        """Until the recorder has new samples of everything: none from before the reset."""

        def fresh() -> bool:
            ages_s = self._recorder["ages_s"].values()
            told_ns = self._recorder["stamp_ns"]
            return not self._recorder["silent"] and all(
                told_ns - seconds_to_ns(age_s) >= since_ns for age_s in ages_s
            )

        try:
            self._calls.wait(fresh, "", _START_PATIENCE_S)
        except RobotLearningError:
            silent = ", ".join(self._recorder["silent"])
            self.get_logger().warning(f"no fresh samples of: {silent or 'some stream'}")

    def _disable(self, arbiter: str) -> None:
        """Nobody may command an arm that is about to stand somewhere else."""
        give_up_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_s:
            # A fault ends in DISABLED too, once it is cleared.
            if self._calls.trigger(f"{arbiter}/clear_fault")[0]:
                return
            self._calls.trigger(f"{arbiter}/hold")
            granted, text = self._calls.trigger(f"{arbiter}/disable")
            if granted:
                return
            self._calls.pause(_RETRY_S)
        raise RobotLearningError(f"{arbiter} was not disabled: {text}")

    def _unattended_episode(self) -> None:
        calls, names = self._calls, self._settings
        self._succeeded_s = None
        self._begin(_START_PATIENCE_S)
        calls.demand(f"{names['teleop_node']}/engage")
        give_up_s = time.monotonic() + names["episode_timeout_s"]
        while self._recording and not self._has_succeeded and time.monotonic() < give_up_s:
            calls.spin()
        self._finish("success" if self._has_succeeded else "failure")
        calls.demand(f"{names['teleop_node']}/release")

    def _attended_episode(self) -> None:
        number = self._recorder["saved"] + 1
        self._events.clear()
        self.get_logger().info(f"episode {number} of {self._settings['episodes']}: start it")
        while True:
            self._calls.spin()
            while self._events:
                event = self._events.popleft()
                if event == "start" and not self._recording:
                    self._try_begin()
                elif not self._recording:
                    self._ask(event)
                    self._await_status()
                elif event == "start":
                    self.get_logger().warning("already recording: stop, discard or judge it first")
                else:
                    self._finish(event)
                    return
            if self._begun and not self._recording:
                # It ended by itself; the recorder says why.
                self._end_demonstration()
                return

    @property
    def _recording(self) -> bool:
        return bool(self._recorder["recording"])

    @property
    def _has_succeeded(self) -> bool:
        held_s = self._settings["success_hold_s"]
        return self._succeeded_s is not None and time.monotonic() - self._succeeded_s >= held_s

    def _try_begin(self) -> None:
        try:
            self._begin(0.0)
        except RobotLearningError as error:
            self.get_logger().warning(str(error))

    def _begin(self, patience_s: float) -> None:
        names = self._settings
        self._calls.demand(f"{names['recorder_node']}/start", patience_s)
        self._await_status()
        self._begun = True
        self._calls.set_parameters(names["arbiter_node"], {"demonstrating": True})

    def _finish(self, request: str) -> None:
        self._ask(request)
        self._end_demonstration()
        self._await_status()
        saved, wanted = self._recorder["saved"], self._settings["episodes"]
        self.get_logger().info(f"{saved} of {wanted} episodes are saved")

    def _end_demonstration(self) -> None:
        self._begun = False
        self._calls.set_parameters(self._settings["arbiter_node"], {"demonstrating": False})

    def _ask(self, request: str) -> None:
        granted, text = self._calls.trigger(f"{self._settings['recorder_node']}/{request}")
        if not granted:
            self.get_logger().warning(text)

    def _await_status(self) -> None:
        """Until the recorder has told how it stands now."""
        heard = self._recorder
        self._calls.wait(lambda: self._recorder is not heard, "the recorder is silent", PATIENCE_S)

    def _on_recorder(self, message: String) -> None:
        self._recorder = json.loads(message.data)

    def _on_arbiter(self, message: String) -> None:
        state = json.loads(message.data)
        self._mode = str(state["mode"])
        age_s = state["ages_s"]["robot"][1]
        if age_s is not None:
            self._measured_ns = state["stamp_ns"] - seconds_to_ns(age_s)

    def _on_success(self, message: Bool) -> None:
        if not message.data:
            self._succeeded_s = None
        elif self._succeeded_s is None:
            self._succeeded_s = time.monotonic()

    def _on_event(self, message: String) -> None:
        if message.data in _RECORDER_EVENTS:
            self._events.append(message.data)


def main() -> int:
    """Entry point of the executable."""
    return run_node(SessionNode)


if __name__ == "__main__":
    sys.exit(main())
