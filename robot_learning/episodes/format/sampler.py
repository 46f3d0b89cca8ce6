"""Which sample of each stream belongs to a row.

At a tick a stream contributes its newest sample (by stamp) among those that were stamped and
had been received not later than the tick: never one from the future. Live recording, lockstep
simulation and conversion from logs all run this one rule; because it looks at times only,
never at when it is called, they give equal rows.

All times are nanoseconds of one clock, the recorder's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol

from robot_learning.core.clocks import FUTURE_TOLERANCE_S, is_future, seconds_to_ns
from robot_learning.core.errors import unknown_choice
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.schema import RowFault, Stream

NEVER_NS = -1
_MAX_PENDING = 8192
_NO_FAULT = RowFault(0)


class Course(Protocol):
    """Values that change with time: a trajectory that was sent as a whole."""

    @property
    def until_ns(self) -> int:
        """When they end; from there on the last ones stay, and grow old."""
        ...

    def at(self, tick_ns: int) -> Mapping[str, Any]:
        """The values at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One message of a stream: its own stamp, when it was received, and its values.

    With a `course` its values are those of the row's time, and as long as the course goes on
    they are as new as the row. A row that has a sample with `faults` is invalid for them.
    """

    stamp_ns: int
    receive_ns: int
    values: Mapping[str, Any]
    course: Course | None = None
    faults: RowFault = _NO_FAULT

    def at(self, tick_ns: int) -> Sample:
        """What this sample is at a time not before its own."""
        course = self.course
        if course is None:
            return self
        stamp_ns = max(self.stamp_ns, min(tick_ns, course.until_ns))
        return Sample(stamp_ns, self.receive_ns, course.at(tick_ns))

    @property
    def order(self) -> tuple[int, int]:
        """What "newest" compares: the stamp; of equal stamps the later received one counts."""
        return self.stamp_ns, self.receive_ns


@dataclass(frozen=True, slots=True)
class SampledRow:
    """The samples of one tick.

    Attributes:
        tick_ns: the row's time.
        samples: per stream; None where nothing has arrived yet.
        faults: reasons why the row is invalid; 0 when it is valid.
        late_streams: the streams that are over age or missing.
    """

    tick_ns: int
    samples: Mapping[str, Sample | None]
    faults: RowFault
    late_streams: tuple[str, ...]

    def age_ns(self, stream: str) -> int:
        """The tick less the sample's stamp; `NEVER_NS` where there is no sample."""
        sample = self.samples[stream]
        return NEVER_NS if sample is None else self.tick_ns - sample.stamp_ns


@dataclass(slots=True)
class StreamCounts:
    """What became of a stream's samples.

    `refused_future`: stamped further ahead of their receipt than the tolerance.
    `out_of_order`: older than one that was already taken, therefore never used.
    `overflowed`: dropped because the sampler was fed but not ticked.
    """

    received: int = 0
    refused_future: int = 0
    out_of_order: int = 0
    overflowed: int = 0


class Sampler:
    """Takes samples in any order and gives the row of each tick. One thread."""

    def __init__(
        self, streams: Sequence[Stream], future_tolerance_s: float = FUTURE_TOLERANCE_S
    ) -> None:
        """A sample stamped more than `future_tolerance_s` after its receipt is refused.

        Less than that (clocks of two machines that differ a little) it waits for its tick.
        """
        self._max_age_ns = {stream.name: seconds_to_ns(stream.max_age_s) for stream in streams}
        self._newest: dict[str, Sample | None] = dict.fromkeys(self._max_age_ns)
        self._pending: dict[str, list[Sample]] = {name: [] for name in self._max_age_ns}
        self._future_tolerance_ns = seconds_to_ns(future_tolerance_s)
        self._last_tick_ns: int | None = None
        self.counts = {name: StreamCounts() for name in self._max_age_ns}

    def push(self, stream: str, sample: Sample) -> bool:
        """Take a sample; False when it is refused because it claims to come from the future.

        Raises:
            EpisodeError: there is no such stream; the text lists the known ones.
        """
        try:
            counts, pending = self.counts[stream], self._pending[stream]
        except KeyError:
            raise EpisodeError(unknown_choice("stream", stream, self.counts)) from None
        counts.received += 1
        if self.is_future(sample):
            counts.refused_future += 1
            return False
        if len(pending) >= _MAX_PENDING:
            del pending[0]
            counts.overflowed += 1
        pending.append(sample)
        return True

    def is_future(self, sample: Sample) -> bool:
        """Whether a sample is stamped further after its receipt than clocks may differ."""
        return is_future(sample.stamp_ns, sample.receive_ns, self._future_tolerance_ns)

    def sample(self, tick_ns: int) -> SampledRow:
        """The row at `tick_ns`.

        Raises:
            EpisodeError: ticks must increase.
        """
        if self._last_tick_ns is not None and tick_ns <= self._last_tick_ns:
            raise EpisodeError(
                f"rows must move forward in time: {tick_ns} ns after {self._last_tick_ns} ns"
            )
        self._last_tick_ns = tick_ns
        faults, late = _NO_FAULT, []
        samples: dict[str, Sample | None] = {}
        for name, max_age_ns in self._max_age_ns.items():
            newest = self._advance(name, tick_ns)
            samples[name] = newest = newest if newest is None else newest.at(tick_ns)
            if newest is None:
                faults |= RowFault.MISSING
                late.append(name)
                continue
            if newest.faults:
                faults |= newest.faults
            if tick_ns - newest.stamp_ns > max_age_ns:
                faults |= RowFault.STALE
                late.append(name)
        return SampledRow(tick_ns, samples, faults, tuple(late))

    def _advance(self, name: str, tick_ns: int) -> Sample | None:
        newest, waiting = self._newest[name], []
        for sample in self._pending[name]:
            if sample.stamp_ns > tick_ns or sample.receive_ns > tick_ns:
                waiting.append(sample)
            elif newest is None or sample.order >= newest.order:
                newest = sample
            else:
                self.counts[name].out_of_order += 1
        self._newest[name], self._pending[name] = newest, waiting
        return newest


def sample_log(
    streams: Sequence[Stream],
    logs: Mapping[str, Iterable[Sample]],
    ticks_ns: Iterable[int],
    future_tolerance_s: float = 0.1,
) -> Iterator[SampledRow]:
    """The rows of a finished log.

    This feeds a `Sampler` in order of receipt, as live recording does.

    Args:
        streams: streams of the dataset.
        logs: samples of each stream, by its name, in any order.
        ticks_ns: times of the rows, increasing.
        future_tolerance_s: how far ahead of its receipt a stamp may lie; samples further ahead are
            refused.
    """
    sampler = Sampler(streams, future_tolerance_s)
    by_receipt = attrgetter("receive_ns")
    waiting = {name: iter(sorted(samples, key=by_receipt)) for name, samples in logs.items()}
    heads = {name: next(samples, None) for name, samples in waiting.items()}
    for tick_ns in ticks_ns:
        for name, samples in waiting.items():
            head = heads[name]
            while head is not None and head.receive_ns <= tick_ns:
                sampler.push(name, head)
                head = next(samples, None)
            heads[name] = head
        yield sampler.sample(tick_ns)


def row_tick_ns(start_ns: int, rate_hz: float, row: int) -> int:
    """When a row is due, `start + row/rate`, rounded from the exact value: it does not drift.

    Args:
        start_ns: time of row 0.
        rate_hz: rows a second.
        row: number of the row, from 0.
    """
    return start_ns + seconds_to_ns(row / rate_hz)


def row_ticks_ns(start_ns: int, rate_hz: float, end_ns: int) -> Iterator[int]:
    """The ticks of all rows up to and including `end_ns`.

    Args:
        start_ns: time of row 0.
        rate_hz: rows a second.
        end_ns: time of the last row at most.
    """
    row = 0
    while (tick_ns := row_tick_ns(start_ns, rate_hz, row)) <= end_ns:
        yield tick_ns
        row += 1
