"""When a device counts as held by its operator."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from robot_learning.core.clocks import NS_PER_S
from robot_learning.teleop.device import RELEASING_EVENTS, OperatorEvent


class EngagementKind(Enum):
    """How an operator engages."""

    LATCHED = "latched"
    """the first motion engages, or `take_over`; `hold`, `hand_back` and `halt` release"""
    DEAD_MAN = "dead_man"
    """engaged only while the dead-man button is held down"""


class Engagement:
    """The dead-man level of a device.

    What was held when the operator let go (or was lost) must be released before it engages
    again: a key that happens to be down can never take the robot back.
    """

    def __init__(self, kind: EngagementKind) -> None:
        self._kind = kind
        self._engaged = False
        self._blocked = False

    def update(
        self, alive: bool, held: bool, events: Iterable[OperatorEvent], fresh: bool = False
    ) -> bool:
        """The level after one poll.

        Args:
            alive: whether the device can be trusted.
            held: the dead-man button (DEAD_MAN), or whether any motion is asked (LATCHED).
            events: what the operator asked for since the last poll, oldest first.
            fresh: whether the dead-man button was let go and pressed again since the last poll.
        """
        if fresh or not held:
            self._blocked = False
        taken = False
        for event in events:
            if event in RELEASING_EVENTS:
                self._blocked, self._engaged, taken = True, False, False
            elif event is OperatorEvent.TAKE_OVER:
                taken = True
        if not alive:
            self._blocked, self._engaged = True, False
            return False
        wanted = held and not self._blocked
        if self._kind is EngagementKind.DEAD_MAN:
            self._engaged = wanted
        elif wanted or taken:
            self._engaged = True
        return self._engaged


class ReengageDetector:
    """Detects an operator who engages again within the arbiter's timeout.

    The arbiter takes silence for letting go. An operator who hands back and engages again within
    its timeout was never silent: the arbiter sees somebody who has yielded and still sends, and
    ignores them until they let go for longer. They have to ask for the arm.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._engaged = False
        self._let_go_ns: int | None = None

    def update(self, now_ns: int, engaged: bool) -> bool:
        """Whether the operator has engaged now, and had let go within the timeout."""
        if self._engaged and not engaged:
            self._let_go_ns = now_ns
        taken, self._engaged = engaged and not self._engaged, engaged
        if not taken or self._let_go_ns is None:
            return False
        return (now_ns - self._let_go_ns) / NS_PER_S <= self._timeout_s
