"""Joint states by name, over all messages of one topic.

An arm and its gripper often have drivers of their own, whose messages share a topic: none of them
names every joint. What each message says of a joint is kept, and a sample has what is newest of
every joint. It is as old as the oldest of them: a driver that fell silent makes the sample old,
however often the other one speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.errors import CommandError
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.messages.joint_order import ragged
from robot_learning.messages.stamps import header_stamp_ns


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """What is newest of every joint, in the profile's order.

    Attributes:
        stamp_ns: stamp of the joint whose stamp is the oldest.
        receive_ns: receipt of the message that completed or renewed the sample.
        oldest_receive_ns: receipt of the joint that was not heard for the longest time.
        receipts_ns: (n,) receipt of the newest message that named each joint.
        position: (n,) rad or m.
        velocity: (n,) rad/s or m/s; NaN where it is not measured.
        effort: (n,) N·m or N; NaN where it is not measured.
    """

    stamp_ns: int
    receive_ns: int
    oldest_receive_ns: int
    receipts_ns: IntArray
    position: FloatArray
    velocity: FloatArray
    effort: FloatArray


class JointCollector:
    """Collects the joints of one robot from the messages of one topic. One thread."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._wanted = list(joint_names)
        count = len(self._wanted)
        self._index = {name: index for index, name in enumerate(self._wanted)}
        self._rows = np.full((3, count), np.nan)
        self._stamps_ns = np.zeros(count, np.int64)
        self._receipts_ns = np.zeros(count, np.int64)
        self._known = np.zeros(count, bool)
        self._is_known = False
        self._incomplete = 0
        self._places: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that no message has named yet."""
        if self._is_known:
            return ()
        return tuple(
            name for name, known in zip(self._wanted, self._known, strict=True) if not known
        )

    def lacking(self, names: Sequence[str]) -> str:
        """What is missing, for a person; `names` are those of the newest message."""
        return f"joint state lacks {', '.join(self.missing)}; it has {', '.join(names) or 'none'}"

    def overdue(self, names: Sequence[str], receive_ns: int, bound_s: float) -> str:
        """Which joints were not heard for longer than `bound_s`, for a person; empty where none.

        Args:
            names: names of the joints in the message that just arrived, for the text.
            receive_ns: steady time at which that message arrived.
            bound_s: silence beyond which a joint is overdue.
        """
        silent_s = (receive_ns - self._receipts_ns) / NS_PER_S
        late = np.flatnonzero(self._known & (silent_s > bound_s))
        if not len(late):
            return ""
        joints = ", ".join(self._wanted[index] for index in late)
        return (
            f"joint state lacks {joints}, last heard {silent_s[late].max():.2f} s before; it has "
            f"{', '.join(names) or 'none'}"
        )

    @property
    def oldest_receive_ns(self) -> int:
        """When the joint that was not heard for the longest time was heard; 0 for never."""
        return int(self._receipts_ns.min())

    @property
    def is_stuck(self) -> bool:
        """Whether a message was repeated while joints were still missing: they will not come."""
        return not self._is_known and self._incomplete > len(self._places)

    def forget(self) -> None:
        """Forget everything, for instance after the clock was set back."""
        self._known[:] = self._is_known = False
        self._incomplete = 0

    def collect(self, message: Any, receive_ns: int) -> JointSample | None:
        """Take a JointState; arguments, result and errors as of `take`."""
        values = (message.position, message.velocity, message.effort)
        return self.take(message.name, values, header_stamp_ns(message), receive_ns)

    def take(
        self,
        names: Sequence[str],
        values: tuple[Sequence[float], Sequence[float], Sequence[float]],
        stamp_ns: int,
        receive_ns: int,
    ) -> JointSample | None:
        """Take a message; the sample, or None while joints are missing or it names none of them.

        Args:
            names: the joints that it names; others than the robot's are passed over.
            values: position, velocity and effort of each, the last two may be empty.
            stamp_ns: stamp of the message.
            receive_ns: steady time at which the message arrived.

        Raises:
            CommandError: the message is ragged, or names a joint twice.
        """
        given, wanted = self._places_of(names)
        rows = [_row(names, each) for each in values]
        if rows[0] is None:
            if not len(names):
                self._incomplete += 1
                return None
            raise ragged(names, ())
        if len(wanted) == len(self._wanted):
            # Every joint in one message, as most robots send them.
            picked = tuple(self._picked(row, given) for row in rows)
            self._rows = np.stack(picked)
            self._stamps_ns[:], self._receipts_ns[:] = stamp_ns, receive_ns
            self._known[:] = self._is_known = True
            return JointSample(stamp_ns, receive_ns, receive_ns, self._receipts_ns.copy(), *picked)
        if not wanted:
            self._incomplete += 1
            return None
        for index, row in enumerate(rows):
            self._rows[index, wanted] = np.nan if row is None else row[given]
        self._stamps_ns[wanted], self._receipts_ns[wanted] = stamp_ns, receive_ns
        if not self._is_known:
            self._known[wanted] = True
            self._is_known = bool(self._known.all())
            if not self._is_known:
                self._incomplete += 1
                return None
        rows_now = self._rows.copy()
        receipts_ns = self._receipts_ns.copy()
        oldest_ns = int(self._stamps_ns.min()), receive_ns, int(receipts_ns.min())
        return JointSample(*oldest_ns, receipts_ns, *rows_now)

    def _picked(self, row: FloatArray | None, given: list[int]) -> FloatArray:
        if row is None:
            return np.full(len(self._wanted), np.nan)
        # Fancy indexing copies: a message's buffer is not kept.
        return row[given]

    def _places_of(self, names: Sequence[str]) -> tuple[list[int], list[int]]:
        """Where the wanted joints lie in such a message, and in a sample.

        Raises:
            CommandError: one of them is named twice.
        """
        key = tuple(names)
        if key not in self._places:
            pairs = {}
            for place, name in enumerate(key):
                index = self._index.get(name)
                if index is not None and index in pairs:
                    raise CommandError(f"joint state names '{name}' twice")
                if index is not None:
                    pairs[index] = place
            if len(pairs) == len(self._wanted):
                pairs = dict(sorted(pairs.items()))
            if len(self._places) >= _MOST_KINDS:
                self._places.clear()
            self._places[key] = (list(pairs.values()), list(pairs))
        return self._places[key]


_MOST_KINDS = 64


def _row(names: Sequence[str], values: Sequence[float]) -> FloatArray | None:
    if not len(values):
        return None
    if len(names) != len(values):
        raise ragged(names, values)
    return np.asarray(values, np.float64)
