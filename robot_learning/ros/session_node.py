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
from robot_learning.ros.session.episode_leader import (
    KEY_PATIENCE_S,
    SILENCE_PATIENCE_S,
    EpisodeLeader,
)

_RESUME = "robot-learning record --resume"


class SessionNode(Node):  # type: ignore[misc]
    """Leads recorder, arbiter, robot and operator through a session."""

    def __init__(self, host: Host) -> None:
        super().__init__("session_node", **host.node_options)
        self._host = host
        self._settings = declare_settings(self, SessionNodeSettings)
        self._leader = EpisodeLeader(self, host, self._settings)

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
        return int(self._leader.recorder["saved"])

    def _session(self) -> None:
        leader, wanted = self._leader, self._settings.episodes
        leader.await_graph()
        leader.check_pace()
        self.get_logger().info(f"{amount(wanted, 'episode')} into {leader.recorder['dataset']}")
        leader.session.wanted = wanted
        while self._saved < wanted:
            leader.session.episode = self._saved + 1
            leader.reset()
            if self._settings.unattended:
                self._unattended_episode()
            else:
                self.get_logger().info(f"episode {self._saved + 1} of {wanted}: start it")
                leader.attended_episode(self._begin, self._end_demonstration)
            self.get_logger().info(
                f"{self._saved} of {amount(wanted, 'episode is', 'episodes are')} saved"
            )
        self.get_logger().info(f"done: {amount(self._saved, 'episode')} saved")

    def _unattended_episode(self) -> None:
        leader, names = self._leader, self._settings
        scene = leader.scene
        self._begin(SILENCE_PATIENCE_S, self._resume)
        leader.calls.demand(f"{names.teleop_node}/engage")
        give_up_s = leader.calls.now_s + names.episode_timeout_s
        while leader.recording and not scene.has_succeeded and leader.calls.now_s < give_up_s:
            leader.calls.spin()
        leader.ask("success" if scene.has_succeeded else "failure")
        self._end_demonstration()
        leader.await_status()
        leader.calls.demand(f"{names.teleop_node}/release")

    @property
    def _resume(self) -> str:
        """The command that goes on with this session."""
        dataset = shlex.quote(self._leader.recorder["dataset"])
        command = self._settings.resume_command or f"{_RESUME} dataset:={dataset}"
        return f"{command} episodes:={self._settings.episodes - self._saved}"

    def _begin(self, patience_s: float = KEY_PATIENCE_S, resume: str = "") -> None:
        self._leader.begin(patience_s, resume)
        self._demonstrate(True)

    def _end_demonstration(self) -> None:
        self._demonstrate(False)

    def _demonstrate(self, running: bool) -> None:
        arbiter = self._settings.arbiter_node
        self._leader.calls.set_live(arbiter, ArbiterNodeSettings, {"demonstrating": running})


create = SessionNode
"""Makes the node, given its host."""


def main() -> int:
    """Entry point of the executable."""
    return run_node(create)


if __name__ == "__main__":
    sys.exit(main())
