"""When the policy asks for help, and how much its ensemble disagreed when it was taken over.

Kelly et al., "HG-DAgger", ICRA 2019, https://arxiv.org/abs/1810.02890: what the human could not
watch any longer tells how much disagreement is too much.
"""

from __future__ import annotations

import json

from rclpy.node import Node
from std_msgs.msg import String

from robot_learning.core.vocabulary import Mode
from robot_learning.learning.interactive.rounds import HelpRequest
from robot_learning.messages.arbiter_state import ArbiterStateMessage
from robot_learning.ros.common import qos
from robot_learning.ros.common.arbiter_input import listen_to_arbiter


class HelpMonitor:
    """Listens to `policy/doubt` and `arbiter/state`.

    Attributes:
        asks: whether the policy waits for an answer.
        ready: number of reports in a row by which a person may hand back.
    """

    def __init__(self, node: Node) -> None:
        self.asks = False
        self.ready = 0
        self._requests: list[HelpRequest] = []
        self._disagreement: float | None = None
        self._at_takeovers: list[float] = []
        self._left_with: float | None = None
        self._mode: Mode | None = None
        node.create_subscription(String, "policy/doubt", self._on_disagreement, qos.LATCHED)
        listen_to_arbiter(node, self._on_arbiter)

    def take(self) -> tuple[float, ...]:
        """The disagreements at takeovers from the policy since the last call, oldest first."""
        taken, self._at_takeovers = tuple(self._at_takeovers), []
        return taken

    def take_requests(self) -> tuple[HelpRequest, ...]:
        """The requests for help since the last call, oldest first."""
        taken, self._requests = tuple(self._requests), []
        return taken

    def _on_disagreement(self, message: String) -> None:
        document = json.loads(message.data)
        if document["asks"] and not self.asks:
            self._requests.append(HelpRequest(document["reason"], document["stamp_ns"]))
        self.asks, self._disagreement = document["asks"], document["doubt"]
        self.ready = self.ready + 1 if document["ready"] else 0

    def _on_arbiter(self, state: ArbiterStateMessage) -> None:
        before, self._mode = self._mode, state.mode
        if before is Mode.POLICY is not self._mode:
            # Who asked for help itself was not judged by the human.
            self._left_with = None if self.asks else self._disagreement
        if before is not Mode.HUMAN is self._mode and self._left_with is not None:
            # Perhaps by way of HOLD, until the human's first command is there.
            self._at_takeovers.append(self._left_with)
            self._left_with = None
