"""Which replies may still come, so that none is taken for the answer to a later request."""

from __future__ import annotations

from collections.abc import Iterable

from robot_learning.core.clocks import seconds_to_ns

LIFETIME_S = 0.25
"""How long a reply may be late; a stalled USB adapter was seen to deliver after 0.12 s."""


class LateReplies:
    """The replies that were asked for and have not come.

    A reply says which servo it is from and how long it is, but not which request it answers. So
    the next request asks for a length that no outstanding reply has, and whatever has another
    length is not believed.
    """

    def __init__(self, lifetime_ns: int = seconds_to_ns(LIFETIME_S)) -> None:
        self._lifetime_ns = lifetime_ns
        # Size of the data -> servo -> when its reply will not come any more.
        self._owed: dict[int, dict[int, int]] = {}

    def owe(self, size: int, servo_ids: Iterable[int], now_ns: int) -> None:
        """Note what has not come in time.

        Args:
            size: number of data bytes that were asked for.
            servo_ids: servos that have not answered.
            now_ns: time on the monotonic clock.
        """
        until_ns = now_ns + self._lifetime_ns
        for servo_id in servo_ids:
            self._owed.setdefault(size, {})[servo_id] = until_ns

    def take(self, size: int, servo_id: int) -> bool:
        """Whether a reply that has come was outstanding; it is not any more."""
        return self._owed.get(size, {}).pop(servo_id, None) is not None

    def free_at_ns(self, size: int, now_ns: int) -> int:
        """When no reply of that size can be outstanding any more: now, or later."""
        owed = self._owed.get(size)
        if not owed:
            return now_ns
        last_ns = max(owed.values())
        if last_ns <= now_ns:
            owed.clear()
        return max(last_ns, now_ns)

    def lead(self, size: int, most: int, now_ns: int) -> int | None:
        """How many bytes more than `size` to ask for: 0 to `most`.

        None where every such length is outstanding: whatever came could be late.

        Args:
            size: number of data bytes that are wanted.
            most: number of bytes before them that may be asked for as well.
            now_ns: time on the monotonic clock.
        """
        lengths = range(most + 1)
        return next((m for m in lengths if self.free_at_ns(size + m, now_ns) <= now_ns), None)
