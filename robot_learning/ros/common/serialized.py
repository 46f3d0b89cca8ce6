"""Messages that come hundreds of times a second, read and written in their serialised form.

rclpy makes Python objects of a message field by field, and checks each: 28 µs for a JointState of
eight joints, 45 µs for a trajectory of one point. To look up the numbers in place takes a
fifth of that. The form is CDR, as every middleware of ROS 2 over DDS sends it (OMG DDSI-RTPS,
section 10, with DDS-XTypes 1.3, section 7.4.3): a number is at a multiple of its size, strings
and sequences begin with their length.
"""

from __future__ import annotations

import array
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.types import FloatArray
from robot_learning.ros.common import conversions

_LITTLE_ENDIAN = b"\x00\x01"
_BEGIN = 4
"""Of the message, after what says how it is written; alignment counts from there."""
_LENGTH, _TIME, _POSE = struct.Struct("<I"), struct.Struct("<iI"), struct.Struct("<7d")
_NO_NUMBERS = array.array("d")
Reader = Callable[[bytes], Any]


class _Time:
    """Reads as a Time or a Duration."""

    __slots__ = ("nanosec", "sec")

    def __init__(self, sec: int, nanosec: int) -> None:
        self.sec, self.nanosec = sec, nanosec


class _Header:
    """Reads as a Header."""

    __slots__ = ("frame_id", "stamp")

    def __init__(self, stamp: _Time, frame_id: str) -> None:
        self.stamp, self.frame_id = stamp, frame_id


class _Record:
    """Reads as a message with these fields."""

    __slots__ = ("__dict__",)

    def __init__(self, **fields: Any) -> None:
        self.__dict__ = fields


class _Strings:
    """The frame and the names of a topic's messages, which are the same in each."""

    def __init__(self, with_names: bool) -> None:
        self._with_names = with_names
        self._block, self._found = b"\x00", ("", list[str]())

    def read(self, data: bytes, at: int) -> tuple[str, list[str], int]:
        """Frame, names, and where they end."""
        block = self._block
        if not data.startswith(block, at):
            self._found, end = self._parse(data, at)
            self._block = block = data[at:end]
        frame_id, names = self._found
        return frame_id, names, at + len(block)

    def _parse(self, data: bytes, at: int) -> tuple[tuple[str, list[str]], int]:
        frame_id, at = _string(data, at)
        names: list[str] = []
        if self._with_names:
            count, at = _length(data, at)
            for _ in range(count):
                name, at = _string(data, at)
                names.append(name)
        return (frame_id, names), at


def _length(data: bytes, at: int) -> tuple[int, int]:
    at = (at + 3) & ~3
    return _LENGTH.unpack_from(data, at)[0], at + 4


def _string(data: bytes, at: int) -> tuple[str, int]:
    length, at = _length(data, at)
    return data[at : at + length - 1].decode(), at + length  # without the zero that ends it


def _numbers(data: bytes, at: int) -> tuple[array.array[float], int]:
    at = (at + 3) & ~3
    count = _LENGTH.unpack_from(data, at)[0]
    if not count:
        return _NO_NUMBERS[:], at + 4
    at = _aligned(at + 4)
    end = at + 8 * count
    return array.array("d", data[at:end]), end


def _aligned(at: int) -> int:
    """The next place for a number of eight bytes."""
    return ((at - _BEGIN + 7) & ~7) + _BEGIN


class _MessageReader:
    """Reads the messages of one topic; what it cannot read, rclpy reads."""

    kind: type
    has_names = True

    def __init__(self) -> None:
        self._strings = _Strings(self.has_names)

    def __call__(self, data: bytes) -> Any:
        """The message, or something that reads as it does."""
        if data[:2] == _LITTLE_ENDIAN:
            try:
                message, end = self.read(data)
            except (struct.error, ValueError):
                end = len(data) + 1
            # What is cut off is none, and what follows its end is of no meaning.
            if end <= len(data):
                return message
        return deserialize_message(data, self.kind)

    def read(self, data: bytes) -> tuple[Any, int]:
        """What reads as the message, and where it ends.

        Raises:
            struct.error: it is cut off.
            ValueError: it is cut off, or its text is not valid.
        """
        stamp = _Time(*_TIME.unpack_from(data, _BEGIN))
        frame_id, names, at = self._strings.read(data, _BEGIN + 8)
        return self._rest(data, at, _Header(stamp, frame_id), names)

    def _rest(self, data: bytes, at: int, header: _Header, names: list[str]) -> tuple[Any, int]:
        """What follows frame and names, and where it ends."""
        raise NotImplementedError


class _JointStateReader(_MessageReader):
    kind = JointState

    def _rest(self, data: bytes, at: int, header: _Header, names: list[str]) -> tuple[Any, int]:
        position, at = _numbers(data, at)
        velocity, at = _numbers(data, at)
        effort, at = _numbers(data, at)
        values = {"position": position, "velocity": velocity, "effort": effort}
        return _Record(header=header, name=names, **values), at


class _TrajectoryReader(_MessageReader):
    kind = JointTrajectory

    def _rest(self, data: bytes, at: int, header: _Header, names: list[str]) -> tuple[Any, int]:
        count, at = _length(data, at)
        points = []
        for _ in range(count):
            positions, at = _numbers(data, at)
            velocities, at = _numbers(data, at)
            accelerations, at = _numbers(data, at)
            effort, at = _numbers(data, at)
            time = _Time(*_TIME.unpack_from(data, at))
            at += 8
            points.append(
                _Record(
                    positions=positions,
                    velocities=velocities,
                    accelerations=accelerations,
                    effort=effort,
                    time_from_start=time,
                )
            )
        return _Record(header=header, joint_names=names, points=points), at


class _PoseReader(_MessageReader):
    kind = PoseStamped
    has_names = False

    def _rest(self, data: bytes, at: int, header: _Header, names: list[str]) -> tuple[Any, int]:
        at = _aligned(at)
        x, y, z, *rotation = _POSE.unpack_from(data, at)
        orientation = _Record(**dict(zip("xyzw", rotation, strict=True)))
        pose = _Record(position=_Record(x=x, y=y, z=z), orientation=orientation)
        return _Record(header=header, pose=pose), at + _POSE.size


_READERS: dict[type, type[_MessageReader]] = {
    reader.kind: reader for reader in (_JointStateReader, _TrajectoryReader, _PoseReader)
}


def reader_of(kind: type) -> Reader | None:
    """What reads serialised messages of this kind for one subscription; None for others."""
    reader = _READERS.get(kind)
    return reader() if reader else None


class StampedNumbers:
    """A message that is sent again and again, of which only stamp and numbers change.

    Args:
        make: makes the message of a stamp in nanoseconds, and of the numbers.
        samples: example values of the numbers; the bytes of each array occur once in the message,
            in one piece.
    """

    def __init__(self, make: Callable[..., Any], samples: Sequence[npt.NDArray[Any]]) -> None:
        stamp_ns = 0x1234567 * NS_PER_S + 0x2345678
        message = make(stamp_ns, *samples)
        data = serialize_message(message)
        # rclpy leaves some bytes of chance behind the end.
        _, end = _READERS[type(message)]().read(data)
        self._data = bytearray(data[:end])
        # Where the samples stand is where others go.
        self._stamp = self._data.index(_TIME.pack(*divmod(stamp_ns, NS_PER_S)))
        self._places = [
            np.frombuffer(self._data, sample.dtype, sample.size, self._data.index(sample.tobytes()))
            for sample in samples
        ]

    def filled(self, stamp_ns: int, *arrays: npt.NDArray[Any]) -> bytes:
        """Its serialised form.

        Raises:
            ValueError: `arrays` are not as many and as long as the samples.
        """
        _TIME.pack_into(self._data, self._stamp, *divmod(stamp_ns, NS_PER_S))
        for place, numbers in zip(self._places, arrays, strict=True):
            place[:] = numbers
        return bytes(self._data)


def _sample(index: int, size: int) -> FloatArray:
    return np.pi * (index + 1) + np.arange(size, dtype=float)


class JointStates:
    """Serialised JointState messages of these joints."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._names = list(joint_names)
        self._layouts: dict[tuple[bool, bool], StampedNumbers] = {}

    def filled(
        self,
        stamp_ns: int,
        position: FloatArray,
        velocity: FloatArray | None = None,
        effort: FloatArray | None = None,
    ) -> bytes:
        """The serialised message.

        Args:
            stamp_ns: stamp of the header.
            position: (n,) rad or m.
            velocity: (n,) rad/s or m/s; None leaves it empty.
            effort: (n,) N·m or N; None leaves it empty.
        """
        given = velocity is not None, effort is not None
        arrays = [numbers for numbers in (position, velocity, effort) if numbers is not None]
        if given not in self._layouts:
            samples = [_sample(index, len(self._names)) for index in range(len(arrays))]
            self._layouts[given] = StampedNumbers(partial(self._make, *given), samples)
        return self._layouts[given].filled(stamp_ns, *arrays)

    def _make(
        self, velocity: bool, effort: bool, stamp_ns: int, position: FloatArray, *more: FloatArray
    ) -> JointState:
        rest = [numbers.tolist() for numbers in more]
        message = JointState(name=self._names, position=position.tolist())
        message.header.stamp = conversions.time_message(stamp_ns)
        message.velocity = rest.pop(0) if velocity else []
        message.effort = rest.pop(0) if effort else []
        return message


class Trajectories:
    """Serialised JointTrajectory messages of these joints."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        self._names = joint_names
        self._layouts: dict[int, StampedNumbers] = {}

    def filled(
        self,
        stamp_ns: int,
        positions: FloatArray,
        times_from_start_s: Sequence[float] = (0.0,),
    ) -> bytes:
        """The serialised message.

        Args:
            stamp_ns: stamp of the header.
            positions: (k, n) or (n,) rad or m.
            times_from_start_s: (k,) time of each point; a single point is meant at once by default.
        """
        rows, count = np.atleast_2d(positions), len(times_from_start_s)
        if count not in self._layouts:
            samples = [_sample(index, len(self._names)) for index in range(count)]
            times = [np.array([0x3456789 + index, 0x2345678], "<u4") for index in range(count)]
            self._layouts[count] = StampedNumbers(self._make, [*samples, *times])
        times_ns = np.rint(np.asarray(times_from_start_s) * NS_PER_S).astype(np.int64)
        pairs = np.stack(np.divmod(times_ns, NS_PER_S), axis=1).astype("<u4")
        return self._layouts[count].filled(stamp_ns, *rows, *pairs)

    def _make(self, stamp_ns: int, *numbers: npt.NDArray[Any]) -> JointTrajectory:
        count = len(numbers) // 2
        times_s = [sec + nanosec / NS_PER_S for sec, nanosec in numbers[count:]]
        positions = np.stack(numbers[:count])
        message = conversions.trajectory_message(self._names, positions, times_s, stamp_ns)
        for point, (sec, nanosec) in zip(message.points, numbers[count:], strict=True):
            # Exactly, which seconds of this size are not.
            point.time_from_start.sec, point.time_from_start.nanosec = int(sec), int(nanosec)
        return message


class Poses:
    """Serialised PoseStamped messages in the world frame."""

    def __init__(self) -> None:
        self._layout = StampedNumbers(self._make, [_sample(0, 7)])

    def filled(self, stamp_ns: int, pose: FloatArray) -> bytes:
        """The message of x y z qw qx qy qz (7,)."""
        # There w comes last.
        return self._layout.filled(stamp_ns, pose[[0, 1, 2, 4, 5, 6, 3]])

    def _make(self, stamp_ns: int, numbers: FloatArray) -> PoseStamped:
        return conversions.pose_message(numbers[[0, 1, 2, 6, 3, 4, 5]], stamp_ns)
