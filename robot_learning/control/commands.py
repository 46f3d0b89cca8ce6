"""What the sources and the robot send, and the check that each message passes or is refused whole.

Two clocks meet here. A *stamp* is the sender's time on the ROS clock, which can stop and step; a
*receipt* is when the message arrived, on the steady clock of this process. Stamps say what a
message is about and are compared with the ROS clock only; receipts say whether its sender is
alive and are compared with the steady clock only.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from robot_learning.control.limiter import frozen
from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, Instant
from robot_learning.core.errors import unknown_choice
from robot_learning.core.joint_collector import JointSample
from robot_learning.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RawCommand:
    """Joint positions as a source sent them, unchecked.

    Attributes:
        stamp_ns: ROS time. For a human, when the command was made; for a policy, the stamp of
            the observation that the actions answer to.
        receipt_ns: steady time of arrival.
        joint_names: the columns of `positions`, in any order.
        positions: (m, n) rad or m; m is 1 for a human, any number for a policy's chunk.
        offsets_s: (m,) when each row is meant, in seconds after `stamp_ns`.
    """

    stamp_ns: int
    receipt_ns: int
    joint_names: Sequence[str]
    positions: FloatArray | Sequence[Sequence[float]]
    offsets_s: Sequence[float] = (0.0,)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The robot's measured joint positions, in the profile's order, and their times.

    Attributes:
        stamp_ns: ROS time, of the joint whose stamp is the oldest.
        receipt_ns: steady time of arrival, of the joint that was not heard for the longest time.
        position: (n,) rad or m.
        receipts_ns: (n,) steady time of arrival of each joint; None where all came at once.
    """

    stamp_ns: int
    receipt_ns: int
    position: FloatArray
    receipts_ns: IntArray | None = None

    @classmethod
    def collected(cls, sample: JointSample) -> Measured:
        """What drivers told of the joints, in one message or several."""
        times_ns = sample.stamp_ns, sample.oldest_receive_ns
        return cls(*times_ns, sample.position, sample.receipts_ns)

    def since_s(self, earlier: Measured) -> FloatArray:
        """(n,) seconds from the arrival of each joint's earlier position to that of this one."""
        each = self.receipt_ns if self.receipts_ns is None else self.receipts_ns
        before = earlier.receipt_ns if earlier.receipts_ns is None else earlier.receipts_ns
        elapsed_s: FloatArray = np.subtract(each, before) / NS_PER_S
        return np.broadcast_to(elapsed_s, self.position.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """A checked command: `positions` (m, n) in the profile's order, meant at `offsets_s`."""

    stamp_ns: int
    receipt_ns: int
    positions: FloatArray
    offsets_s: tuple[float, ...]

    def receipt_age_s(self, now: Instant) -> float:
        """Seconds since arrival (steady clock)."""
        return (now.steady_ns - self.receipt_ns) / NS_PER_S

    def stamp_age_s(self, now: Instant) -> float:
        """Seconds since the stamp (ROS clock); negative while the stamp lies ahead."""
        return (now.ros_ns - self.stamp_ns) / NS_PER_S

    def at(self, offset_s: float) -> FloatArray:
        """(n,) the position meant `offset_s` after the stamp: linear between the rows.

        Before the first row it is the first, after the last the last.
        """
        above = bisect_right(self.offsets_s, offset_s)
        if above in (0, len(self.offsets_s)):
            edge: FloatArray = self.positions[0 if above == 0 else -1]
            return edge
        start_s, end_s = self.offsets_s[above - 1], self.offsets_s[above]
        share = (offset_s - start_s) / (end_s - start_s)
        start, end = self.positions[above - 1], self.positions[above]
        return frozen(start + share * (end - start))


class RefusalKind(Enum):
    """Why a message was refused; the values are the keys of the counters."""

    UNKNOWN_JOINT = "unknown_joint"
    MISSING_JOINT = "missing_joint"
    REPEATED_JOINT = "repeated_joint"
    WRONG_SIZE = "wrong_size"
    WRONG_TIMES = "wrong_times"
    NOT_FINITE = "not_finite"
    FROM_FUTURE = "from_future"
    TOO_OLD = "too_old"
    SUPERSEDED = "superseded"
    BEFORE_HANDOVER = "before_handover"
    NOISE_CHANGED = "noise_changed"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused message: which source sent it, why, and the same for a person."""

    source: str
    kind: RefusalKind
    text: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many messages were refused, by `<source>/<kind>`, and the newest.

    `since` has for each source how many were refused since one of it was taken, and why the
    last one was.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    last: Refusal | None = None
    since: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def plus(self, refusal: Refusal) -> Refusals:
        """The same with one more."""
        source = refusal.source
        key = f"{source}/{refusal.kind.value}"
        counts = {**self.counts, key: self.counts.get(key, 0) + 1}
        number = self.since.get(source, (0, ""))[0] + 1
        return Refusals(counts, refusal, {**self.since, source: (number, refusal.text)})

    def taken(self, source: str) -> Refusals:
        """The same after a message of this source was taken."""
        if source not in self.since:
            return self
        since = {name: told for name, told in self.since.items() if name != source}
        return Refusals(self.counts, self.last, since)

    def told(self, source: str) -> str:
        """What was refused of a source since one was taken, to be added to a text; or nothing."""
        if source not in self.since:
            return ""
        count, text = self.since[source]
        return f"; {amount(count, 'message was', 'messages were')} refused, the last: {text}"


@dataclass(frozen=True, slots=True)
class Gate:
    """What a source's stamps must keep.

    Attributes:
        source: its name in refusals.
        max_points: rows that a command may have; None for any number.
        max_age_s: age by stamp beyond which a message is refused.
        future_s: how far ahead of the ROS clock a stamp may lie (clocks of two machines).
    """

    source: str
    max_points: int | None
    max_age_s: float
    future_s: float

    def check_stamp(self, stamp_ns: int, latest_ns: int | None, now: Instant) -> Refusal | None:
        """Why a message with this stamp is refused, after one with `latest_ns` was taken."""
        age_s = (now.ros_ns - stamp_ns) / NS_PER_S
        if age_s < -self.future_s:
            return self._refuse(RefusalKind.FROM_FUTURE, f"stamped {-age_s:.3f} s in the future")
        if age_s > self.max_age_s:
            ago = f"stamped {age_s:.3f} s ago, more than {self.max_age_s:g} s"
            text = ago if stamp_ns else "no time is set in its stamp"
            return self._refuse(RefusalKind.TOO_OLD, text)
        if latest_ns is not None and stamp_ns < latest_ns:
            behind_s = (latest_ns - stamp_ns) / NS_PER_S
            text = f"stamped {behind_s:.3f} s before the one that was taken last"
            return self._refuse(RefusalKind.SUPERSEDED, text)
        return None

    def check(self, raw: RawCommand, joint_names: tuple[str, ...]) -> Trajectory | Refusal:
        """The command in the profile's order, or why it is refused whole."""
        given = tuple(raw.joint_names)
        # None leaves the columns as they are.
        columns = None if given == joint_names else self._columns(given, joint_names)
        if isinstance(columns, Refusal):
            return columns
        positions = self._positions(raw, joint_names)
        if isinstance(positions, Refusal):
            return positions
        offsets_s = tuple(float(offset_s) for offset_s in raw.offsets_s)
        if len(offsets_s) != len(positions):
            text = f"{amount(len(positions), 'point')} but {amount(len(offsets_s), 'time')}"
            return self._refuse(RefusalKind.WRONG_TIMES, text)
        if not _increasing(offsets_s):
            shown = ", ".join(f"{offset_s:g}" for offset_s in offsets_s[:10])
            text = f"times must be finite, not negative and increasing; found {shown}"
            return self._refuse(RefusalKind.WRONG_TIMES, text)
        if columns is not None:
            positions = positions[:, columns]
        return Trajectory(raw.stamp_ns, raw.receipt_ns, frozen(positions), offsets_s)

    def _columns(self, given: tuple[str, ...], wanted: tuple[str, ...]) -> list[int] | Refusal:
        """The columns in the wanted order."""
        for name in given:
            if name not in wanted:
                return self._refuse(
                    RefusalKind.UNKNOWN_JOINT, unknown_choice("joint", name, wanted)
                )
            if given.count(name) > 1:
                text = f"the joint '{name}' stands {given.count(name)} times"
                return self._refuse(RefusalKind.REPEATED_JOINT, text)
        missing = [name for name in wanted if name not in given]
        if missing:
            text = f"missing joint {', '.join(missing)}; every command holds all joints"
            return self._refuse(RefusalKind.MISSING_JOINT, text)
        return [given.index(name) for name in wanted]

    def _positions(self, raw: RawCommand, joint_names: tuple[str, ...]) -> FloatArray | Refusal:
        try:
            positions = np.array(raw.positions, dtype=np.float64)
        except (TypeError, ValueError):
            text = f"every point needs {amount(len(joint_names), 'number')}"
            return self._refuse(RefusalKind.WRONG_SIZE, text)
        if positions.ndim != 2 or positions.shape[1] != len(joint_names) or not len(positions):
            found = " x ".join(str(length) for length in positions.shape)
            text = f"expected points x {amount(len(joint_names), 'joint')}, found {found}"
            return self._refuse(RefusalKind.WRONG_SIZE, text)
        if self.max_points is not None and len(positions) > self.max_points:
            text = f"expected at most {self.max_points} point, found {len(positions)}"
            return self._refuse(RefusalKind.WRONG_SIZE, text)
        if not _all_finite(positions):
            row, column = np.argwhere(~np.isfinite(positions))[0]
            value, name = positions[row, column], raw.joint_names[column]
            text = f"point {row} asks {value} of joint '{name}'"
            return self._refuse(RefusalKind.NOT_FINITE, text)
        return positions

    def check_measured(self, measured: Measured, joint_names: tuple[str, ...]) -> Refusal | None:
        """Why a measurement is refused, its stamp apart."""
        if measured.position.shape != (len(joint_names),):
            text = (
                f"expected {amount(len(joint_names), 'joint')}, found shape "
                f"{measured.position.shape}"
            )
            return self._refuse(RefusalKind.WRONG_SIZE, text)
        if not _all_finite(measured.position):
            index = int(np.argmin(np.isfinite(measured.position)))
            text = f"joint '{joint_names[index]}' measures {measured.position[index]}"
            return self._refuse(RefusalKind.NOT_FINITE, text)
        return None

    def _refuse(self, kind: RefusalKind, text: str) -> Refusal:
        return Refusal(self.source, kind, f"{self.source}: {text}")


def _all_finite(values: FloatArray) -> bool:
    """Whether no element is NaN or infinite.

    The sum of squares tells it in one cheap call; only where that is not finite (which huge
    values cause too) each element is looked at.
    """
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _increasing(offsets_s: tuple[float, ...]) -> bool:
    if not all(map(math.isfinite, offsets_s)) or offsets_s[0] < 0.0:
        return False
    if len(offsets_s) == 1:
        return True
    return all(first < second for first, second in itertools.pairwise(offsets_s))
