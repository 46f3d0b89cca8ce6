"""Messages that belong together by their stamp, such as the joints and poses of one period."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_MOST_WAITING = 64


class StampJoin:
    """Calls back with the parts of one stamp once all of them have arrived.

    A set that lost a part on its way is forgotten when enough newer ones have come.
    """

    def __init__(
        self,
        parts: Sequence[str],
        on_complete: Callable[[int, int, Mapping[str, Any]], None],
        on_dropped: Callable[[str], None] | None = None,
    ) -> None:
        """`on_complete` is given the stamp, the receipt of the last part, and the parts.

        `on_dropped` is called with what was missing when a set is forgotten.
        """
        self._parts = tuple(parts)
        self._on_complete = on_complete
        self._on_dropped = on_dropped
        self._waiting: dict[int, dict[str, Any]] = {}
        self._heard: dict[str, int] = {}
        self.completed = 0

    def add(self, part: str, stamp_ns: int, receive_ns: int, value: Any) -> None:
        """Take a part.

        Args:
            part: name of the part.
            stamp_ns: stamp that the parts of one set share.
            receive_ns: steady time at which the part arrived.
            value: the part itself.
        """
        waiting = self._waiting.setdefault(stamp_ns, {})
        waiting[part] = value
        self._heard[part] = self._heard.get(part, 0) + 1
        if len(waiting) == len(self._parts):
            del self._waiting[stamp_ns]
            self.completed += 1
            self._on_complete(stamp_ns, receive_ns, waiting)
        elif len(self._waiting) > _MOST_WAITING:
            dropped = self._waiting.pop(next(iter(self._waiting)))
            if self._on_dropped is not None:
                self._on_dropped(self._lack(dropped))

    def lack(self) -> str:
        """Why no set was ever complete; empty where one was, or nothing was heard."""
        return "" if self.completed or not self._heard else self._lack({})

    def _lack(self, dropped: Mapping[str, Any]) -> str:
        unheard = [part for part in self._parts if part not in self._heard]
        if unheard:
            return f"{', '.join(unheard)} never came"
        missing = [part for part in self._parts if part not in dropped]
        return f"{', '.join(missing)} had no message of an equal stamp"
