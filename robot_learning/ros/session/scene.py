"""A simulated robot and its task's scene, put back between episodes: what episodes begin with.

Also what arbiter and task say meanwhile. On a real arm nothing is put back.
"""

from __future__ import annotations

import math

from rclpy.node import Node
from std_msgs.msg import Bool

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.errors import RobotLearningError
from robot_learning.core.vocabulary import Mode
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.nodes.robot import RobotNodeSettings
from robot_learning.nodes.session import SceneSettings
from robot_learning.ros.common import qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter
from robot_learning.ros.common.service_calls import TIMEOUT_S, ServiceCalls

START_TIMEOUT_S = 15.0
_PROPOSAL_TIMEOUT_S = 10.0
_RETRY_S = 0.1


class Scene:
    """Leads arbiter and robot to a beginning.

    Attributes:
        arbiter: the newest state of the arbiter; None before it was heard.
    """

    def __init__(self, node: Node, calls: ServiceCalls, settings: SceneSettings) -> None:
        """Subscribe."""
        self.arbiter: ArbiterStateMessage | None = None
        self._node, self._calls, self._settings = node, calls, settings
        self._measured_ns = 0
        self._succeeded_s: float | None = None
        listen_to_arbiter(node, self._on_arbiter)
        node.create_subscription(Bool, "task/success", self._on_success, qos.LATCHED)

    @property
    def mode(self) -> Mode | None:
        """The arbiter's mode; None before it was heard."""
        return None if self.arbiter is None else self.arbiter.mode

    @property
    def has_succeeded(self) -> bool:
        """Whether the task is solved, and has been for long enough to count."""
        held_s = self._settings.success_hold_s
        return self._succeeded_s is not None and self._calls.now_s - self._succeeded_s >= held_s

    def forget_success(self) -> None:
        """What the task said of an episode before does not count."""
        self._succeeded_s = None

    def await_arbiter(self) -> None:
        """Until the arbiter is heard.

        Raises:
            RobotLearningError: it is not.
        """
        self._calls.wait(lambda: self.arbiter, "no arbiter/state was heard", TIMEOUT_S)

    def disable(self) -> None:
        """Nobody may command an arm that is about to stand somewhere else.

        Raises:
            RobotLearningError: the arbiter refused.
        """
        arbiter, give_up_s = self._settings.arbiter_node, self._calls.now_s + TIMEOUT_S
        while self._calls.now_s < give_up_s:
            # A fault ends in DISABLED too, once it is cleared.
            if self._calls.trigger(f"{arbiter}/clear_fault")[0]:
                return
            self._calls.trigger(f"{arbiter}/hold")
            granted, text = self._calls.trigger(f"{arbiter}/disable")
            if granted:
                return
            self._calls.pause(_RETRY_S)
        raise RobotLearningError(f"{arbiter} was not disabled: {text}")

    def put_back(self, seed: int) -> int:
        """Robot and objects to where an episode with this seed begins; the ROS time then, ns.

        Raises:
            RobotLearningError: the robot does not answer or refuses.
        """
        robot = self._settings.robot_node
        self._calls.set_live(robot, RobotNodeSettings, {"reset.seed": seed})
        self._calls.call_until_granted(f"{robot}/reset", START_TIMEOUT_S)
        self.forget_success()
        return self.now_ns

    def enable(self, since_ns: int) -> None:
        """Hold the arm where it was measured since then, which is not where it stood before.

        Raises:
            RobotLearningError: the robot is silent, or the arbiter refuses.
        """
        silent = "the robot is silent"
        self._calls.wait(lambda: self._measured_ns >= since_ns, silent, TIMEOUT_S)
        self._calls.call_until_granted(f"{self._settings.arbiter_node}/enable")

    def await_proposal(self, since_ns: int) -> None:
        """Until the policy proposes something for what was observed since then.

        Raises:
            RobotLearningError: it proposes nothing.
        """
        self._calls.wait(
            lambda: self._proposed_ns() >= since_ns,
            "the policy proposes nothing; the log and the diagnostics of policy_node say why",
            _PROPOSAL_TIMEOUT_S,
        )

    @property
    def now_ns(self) -> int:
        """ROS time."""
        return int(self._node.get_clock().now().nanoseconds)

    def _proposed_ns(self) -> int:
        """Stamp of the observation that the newest proposal answers to."""
        state = self.arbiter
        if state is None or math.isnan(age_s := state.ages["policy"].stamp_s):
            return 0
        return state.stamp_ns - seconds_to_ns(age_s)

    def _on_arbiter(self, state: ArbiterStateMessage) -> None:
        self.arbiter = state
        age_s = state.ages["robot"].stamp_s
        if not math.isnan(age_s):
            self._measured_ns = state.stamp_ns - seconds_to_ns(age_s)

    def _on_success(self, message: Bool) -> None:
        if not message.data:
            self._succeeded_s = None
        elif self._succeeded_s is None:
            self._succeeded_s = self._calls.now_s
