"""What the sources and the robot send, and the check that each message passes or is refused whole.

Two clocks meet here. A *stamp* is the sender's time on the ROS clock, which can stop and step; a
*receipt* is when the message arrived, on the steady clock of this process. Stamps say what a
message is about and are compared with the ROS clock only; receipts say whether its sender is
alive and are compared with the steady clock only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from robot_learning.control.limiter import frozen
from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, Instant
from robot_learning.core.interpolation import row_at
from robot_learning.core.types import FloatArray, IntArray
from robot_learning.messages.joint_collector import JointSample
from robot_learning.messages.trajectories import (
    TrajectoryError,
    TrajectoryFault,
    all_finite,
    check_trajectory,
)


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
        """What drivers reported of the joints, in one message or several."""
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
        return frozen(row_at(self.offsets_s, self.positions, offset_s))


class RefusalKind(Enum):
    """Why a message whose numbers are right was refused; the values are keys of counters."""

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
    kind: RefusalKind | TrajectoryFault
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
class CommandValidator:
    """What a source's stamps must keep.

    Attributes:
        source: name of the source, as refusals give it.
        max_points: rows that a command may have; None for any number.
        max_age_s: age by stamp beyond which a message is refused.
        future_s: how far ahead of the ROS clock a stamp may lie (clocks of two machines).
    """

    source: str
    max_points: int | None
    max_age_s: float
    future_s: float

    def check_stamp(self, stamp_ns: int, latest_ns: int | None, now: Instant) -> Refusal | None:
        """Why a message with this stamp is refused, after one with `latest_ns` was taken.

        Args:
            stamp_ns: stamp of the message, on the ROS clock.
            latest_ns: stamp of the newest message that was taken; None before the first one.
            now: time of the tick that checks the message.
        """
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
        try:
            points = check_trajectory(given, raw.positions, raw.offsets_s, joint_names)
        except TrajectoryError as error:
            return self._refuse(error.fault, str(error))
        count = len(points.positions)
        if self.max_points is not None and count > self.max_points:
            text = f"expected at most {amount(self.max_points, 'point')}, found {count}"
            return self._refuse(TrajectoryFault.WRONG_SIZE, text)
        positions = frozen(points.positions)
        return Trajectory(raw.stamp_ns, raw.receipt_ns, positions, points.offsets_s)

    def check_measured(self, measured: Measured, joint_names: tuple[str, ...]) -> Refusal | None:
        """Why a measurement is refused, its stamp apart."""
        if measured.position.shape != (len(joint_names),):
            text = (
                f"expected {amount(len(joint_names), 'joint')}, found shape "
                f"{measured.position.shape}"
            )
            return self._refuse(TrajectoryFault.WRONG_SIZE, text)
        if not all_finite(measured.position):
            index = int(np.argmin(np.isfinite(measured.position)))
            text = f"joint '{joint_names[index]}' measures {measured.position[index]}"
            return self._refuse(TrajectoryFault.NOT_FINITE, text)
        return None

    def _refuse(self, kind: RefusalKind | TrajectoryFault, text: str) -> Refusal:
        return Refusal(self.source, kind, f"{self.source}: {text}")
