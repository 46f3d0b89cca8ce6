"""Episodes in which a policy drives and somebody may take over.

Attended, the operator's keys begin, end and judge them. Unattended, for the scripted operator, an
episode ends with success, after a time, or with a fault.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from robot_learning.core.errors import RobotLearningError
from robot_learning.core.vocabulary import Mode
from robot_learning.nodes.dagger import DaggerNodeSettings
from robot_learning.ros.dagger.help_monitor import HelpMonitor
from robot_learning.ros.dagger.operator import SimulatedOperator
from robot_learning.ros.dagger.policy import RemotePolicy
from robot_learning.ros.dagger.run import resume_command
from robot_learning.ros.session.episode_coordinator import (
    KEY_TIMEOUT_S,
    SILENCE_TIMEOUT_S,
    EpisodeCoordinator,
)


class Rollouts:
    """Leads one such episode after the other."""

    def __init__(
        self,
        node: Node,
        coordinator: EpisodeCoordinator,
        policy: RemotePolicy,
        monitor: HelpMonitor,
        settings: DaggerNodeSettings,
    ) -> None:
        """Prepare."""
        self._node, self._coordinator, self._policy = node, coordinator, policy
        self._settings = settings
        self._arbiter = settings.arbiter_node
        self._operator = SimulatedOperator(coordinator, monitor, settings)

    def attended(self, cancelled: Callable[[], bool]) -> bool:
        """One episode by the operator's keys, or none when `cancelled` says so before it begins.

        Returns:
            Whether a key has ended it.

        Raises:
            RobotLearningError: a node does not answer.
        """
        self._coordinator.reset()
        self._node.get_logger().info("the next episode: start it")
        return self._coordinator.attended_episode(self._begin, self.rest, cancelled)

    def unattended(self, on_call: bool) -> bool:
        """One episode; whether it came to an end of its own, not cut off by the recorder.

        Args:
            on_call: the operator does not watch, and takes over when the policy asks.

        Raises:
            RobotLearningError: a node does not answer, or refuses what is needed.
        """
        coordinator = self._coordinator
        coordinator.reset()
        self._begin(SILENCE_TIMEOUT_S, resume_command(self._settings))
        self._operator.begin(on_call)
        give_up_s = coordinator.calls.now_s + self._settings.episode_timeout_s
        while (
            coordinator.recording
            and coordinator.scene.mode is not Mode.FAULT
            and coordinator.calls.now_s < give_up_s
        ):
            if coordinator.scene.has_succeeded:
                break
            coordinator.calls.spin()
            self._operator.go_on()
        ended = coordinator.recording
        if ended:
            coordinator.ask("success" if coordinator.scene.has_succeeded else "failure")
        self.rest()
        coordinator.await_status()
        return ended

    def rest(self) -> None:
        """Nobody drives any more; the arm holds."""
        self._coordinator.calls.call_until_granted(f"{self._settings.teleop_node}/release")
        self._coordinator.calls.trigger(f"{self._arbiter}/hold")

    def _begin(self, timeout_s: float = KEY_TIMEOUT_S, resume: str = "") -> None:
        coordinator = self._coordinator
        # Of a stream that is silent the policy hears nothing either.
        coordinator.await_heard(timeout_s, resume)
        now_ns = coordinator.scene.now_ns
        self._policy.begin_episode()
        coordinator.scene.await_proposal(now_ns)
        coordinator.begin(timeout_s, resume)
        granted, text = coordinator.calls.trigger(f"{self._arbiter}/hand_back")
        if not granted:
            self._node.get_logger().warning(text)


def check_unattended(settings: DaggerNodeSettings) -> None:
    """Refuse what only a person may do.

    Raises:
        RobotLearningError: a real arm is to be driven with nobody at it.
    """
    if settings.unattended and not settings.simulated:
        raise RobotLearningError("unattended rounds need a simulated robot: simulated is false")
