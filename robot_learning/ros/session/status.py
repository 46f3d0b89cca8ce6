"""What the leading node reports: `session/status`, a std_msgs/String of compact JSON, latched.

phase     resetting (the scene is put back), ready (an operator may start), starting, recording
episode   number of this episode, from 1; 0 where nobody counts
wanted    how many episodes there are to be; 0 where nobody counts
refused   in few words, why the last start was refused; empty otherwise
"""

from __future__ import annotations

import json

from rclpy.node import Node
from std_msgs.msg import String

from robot_learning.ros.common import qos

RESETTING, READY, STARTING, RECORDING = "resetting", "ready", "starting", "recording"
TOPIC = "session/status"


class SessionOutput:
    """Publishes `session/status`.

    Attributes:
        episode, wanted: numbers to report under these keys; set by the node that counts.
    """

    def __init__(self, node: Node) -> None:
        self.episode, self.wanted = 0, 0
        self._publisher = node.create_publisher(String, TOPIC, qos.LATCHED)

    def tell(self, phase: str, refused: str = "") -> None:
        """Tell it now."""
        document = {
            "phase": phase,
            "episode": self.episode,
            "wanted": self.wanted,
            "refused": refused,
        }
        self._publisher.publish(String(data=json.dumps(document, separators=(",", ":"))))
