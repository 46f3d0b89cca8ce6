"""`session_node`: a recording session of a number of episodes, with a reset before each.

A person begins and ends episodes with the keys of their device (`teleop/event`); unattended, for
the scripted operator, an episode begins after the reset and ends with success or by time.
"""

from __future__ import annotations

import shlex
import sys

from rclpy.node import Node

from robot_learning.core.amounts import amount
from robot_learning.nodes.arbiter import ArbiterNodeSettings
from robot_learning.nodes.session import SessionNodeSettings
from robot_learning.ros.common.host import Host
from robot_learning.ros.common.node_base import run_node
from robot_learning.ros.common.parameters import declare_settings
from robot_learning.ros.session.episode_coordinator import (
    KEY_TIMEOUT_S,
    SILENCE_TIMEOUT_S,
    EpisodeCoordinator,
)

_RESUME = "robot-learning record --resume"


class SessionNode(Node):  # type: ignore[misc]
    """Leads recorder, arbiter, robot and operator through a session."""

    def __init__(self, host: Host) -> None:
        super().__init__("session_node", **host.node_options)
        self._host = host
        self._settings = declare_settings(self, SessionNodeSettings)
        self._coordinator = EpisodeCoordinator(self, host, self._settings)

    def lead(self) -> None:
        """Record the episodes, then end.

        Raises:
            RobotLearningError: a node does not answer or refuses what the session needs.
        """
        self._session()
        self._host.finish()

    def close(self) -> None:
        """Release the node."""
        self.destroy_node()

    @property
    def _saved(self) -> int:
        return int(self._coordinator.recorder["saved"])

    def _session(self) -> None:
        coordinator, wanted = self._coordinator, self._settings.episodes
        coordinator.await_graph()
        coordinator.check_pace()
        self.get_logger().info(
            f"{amount(wanted, 'episode')} into {coordinator.recorder['dataset']}"
        )
        coordinator.session.wanted = wanted
        while self._saved < wanted:
            coordinator.session.episode = self._saved + 1
            coordinator.reset()
            if self._settings.unattended:
                self._unattended_episode()
            else:
                self.get_logger().info(f"episode {self._saved + 1} of {wanted}: start it")
                coordinator.attended_episode(self._begin, self._end_demonstration)
            self.get_logger().info(
                f"{self._saved} of {amount(wanted, 'episode is', 'episodes are')} saved"
            )
        self.get_logger().info(f"done: {amount(self._saved, 'episode')} saved")

    def _unattended_episode(self) -> None:
        coordinator, names = self._coordinator, self._settings
        scene = coordinator.scene
        self._begin(SILENCE_TIMEOUT_S, self._resume)
        coordinator.calls.call_until_granted(f"{names.teleop_node}/engage")
        give_up_s = coordinator.calls.now_s + names.episode_timeout_s
        while (
            coordinator.recording
            and not scene.has_succeeded
            and coordinator.calls.now_s < give_up_s
        ):
            coordinator.calls.spin()
        coordinator.ask("success" if scene.has_succeeded else "failure")
        self._end_demonstration()
        coordinator.await_status()
        coordinator.calls.call_until_granted(f"{names.teleop_node}/release")

    @property
    def _resume(self) -> str:
        """The command that resumes this session."""
        dataset = shlex.quote(self._coordinator.recorder["dataset"])
        command = self._settings.resume_command or f"{_RESUME} dataset:={dataset}"
        return f"{command} episodes:={self._settings.episodes - self._saved}"

    def _begin(self, timeout_s: float = KEY_TIMEOUT_S, resume: str = "") -> None:
        self._coordinator.begin(timeout_s, resume)
        self._demonstrate(True)

    def _end_demonstration(self) -> None:
        self._demonstrate(False)

    def _demonstrate(self, running: bool) -> None:
        arbiter = self._settings.arbiter_node
        self._coordinator.calls.set_live(arbiter, ArbiterNodeSettings, {"demonstrating": running})


create = SessionNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
