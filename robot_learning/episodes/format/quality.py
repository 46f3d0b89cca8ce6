"""How good a recording is: measured while it runs, judged by thresholds when it ends.

Memory is fixed and the report takes no longer for a long episode than for a short one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S
from robot_learning.core.options.quality import QualityOptions
from robot_learning.core.vocabulary import Limit
from robot_learning.episodes.format.sampler import SampledRow, StreamCounts
from robot_learning.episodes.format.schema import DatasetInfo, RowFault

_BINS_PER_DECADE = 200
_SMALLEST_S = 1e-6
# Bits of `control/limited` that do not mean a target out of reach: the acceleration limit,
# which the noise of DART and a trembling hand meet all the time, and the blend of a handover.
_SMOOTHED = np.uint8(Limit.ACCELERATION | Limit.HANDOVER)
# However fast a stream is: an operating system may pause a process for this long.
_GAP_MIN_S = 0.05
_DECADES = 10
_FAULT_WORDS = {
    RowFault.STALE: "with a sample too old",
    RowFault.MISSING: "with a stream not heard yet",
    RowFault.FRAME_LOST: "with a frame lost",
    RowFault.FRAME_BAD: "with a frame that cannot be encoded",
}


class Distribution:
    """Percentiles of many durations in fixed memory, to 1.2 percent of their value."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS_PER_DECADE * _DECADES + 1, np.int64)
        self._maximum_s = 0.0

    def add(self, duration_s: float) -> None:
        """Take a duration; below a microsecond counts as zero."""
        if duration_s < _SMALLEST_S:
            index = 0
        else:
            index = 1 + int(math.log10(duration_s / _SMALLEST_S) * _BINS_PER_DECADE)
        self._counts[min(index, len(self._counts) - 1)] += 1
        self._maximum_s = max(self._maximum_s, duration_s)

    def percentile_s(self, percent: float) -> float | None:
        """The percentile, or None of nothing."""
        cumulative = np.cumsum(self._counts)
        if cumulative[-1] == 0:
            return None
        index = int(np.searchsorted(cumulative, percent / 100 * cumulative[-1]))
        upper_s = _SMALLEST_S * 10 ** (index / _BINS_PER_DECADE) if index else 0.0
        return float(min(upper_s, self._maximum_s))

    def report_ms(self) -> dict[str, float | None]:
        """p50, p99 and max in milliseconds."""
        p50_s, p99_s = self.percentile_s(50), self.percentile_s(99)
        if p50_s is None or p99_s is None:
            return {"p50": None, "p99": None, "max": None}
        return {
            "p50": round(p50_s * 1e3, 4),
            "p99": round(p99_s * 1e3, 4),
            "max": round(self._maximum_s * 1e3, 4),
        }


class StreamMonitor:
    """The rate, jitter and gaps of one stream, from every sample and not only those in rows."""

    def __init__(self, nominal_rate_hz: float, gap_periods: float) -> None:
        self._period_s = 1.0 / nominal_rate_hz
        self._gap_s = max(gap_periods * self._period_s, _GAP_MIN_S)
        self._jitter = Distribution()
        self._first_ns: int | None = None
        self._last_ns = 0
        self._samples = 0
        self._lasting = False
        self.gaps = 0
        self.longest_gap_s = 0.0
        self.refused = 0

    def sample(self, stamp_ns: int, until_ns: int | None = None) -> None:
        """Note a sample's stamp; steps backwards count as jitter, not as time.

        What lasts `until_ns` leaves no gap before that, and a stream of such samples has no rate.
        """
        if self._first_ns is None:
            self._first_ns = self._last_ns = stamp_ns
        else:
            period_s = (stamp_ns - self._last_ns) / NS_PER_S
            self._jitter.add(abs(period_s - self._period_s))
            if period_s > self._gap_s:
                self.gaps += 1
                self.longest_gap_s = max(self.longest_gap_s, period_s)
            self._last_ns = max(self._last_ns, stamp_ns)
        if until_ns is not None:
            self._lasting = True
            self._last_ns = max(self._last_ns, until_ns)
        self._samples += 1

    def report(self) -> dict[str, Any]:
        """The figures of this stream, plain data."""
        span_s = (self._last_ns - (self._first_ns or 0)) / NS_PER_S
        has_rate = self._samples > 1 and span_s > 0 and not self._lasting
        rate_hz = (self._samples - 1) / span_s if has_rate else None
        return {
            "nominal_rate_hz": 1.0 / self._period_s,
            "rate_hz": None if rate_hz is None else round(rate_hz, 4),
            "samples": self._samples,
            "jitter_ms": self._jitter.report_ms(),
            "gaps": self.gaps,
            "longest_gap_s": round(self.longest_gap_s, 6),
            "refused_bad": self.refused,
        }


class RowMonitor:
    """What can be said of the rows: ages, skew, faults, clamps and handovers."""

    def __init__(self, info: DatasetInfo) -> None:
        self._ages = {stream.name: Distribution() for stream in info.streams}
        self._late_rows = dict.fromkeys(self._ages, 0)
        self._skew = Distribution()
        self._rate_hz = info.rate_hz
        self._source: int | None = None
        self.rows = 0
        self.invalid_rows = 0
        self.fault_rows = {fault.name or "": 0 for fault in RowFault}
        self.clamped_rows = self.smoothed_rows = 0
        self.handovers = 0
        self.intervention_rows = 0
        self.source_rows: dict[int, int] = {}

    def row(self, row: SampledRow, faults: RowFault, values: Mapping[str, Any]) -> None:
        """Note a row as it was stored.

        Args:
            row: the sampled row.
            faults: faults of the row, with those that storing it added.
            values: stored value of each column, by its path.
        """
        self.rows += 1
        if faults:
            self.invalid_rows += 1
            for fault in RowFault:
                if fault in faults:
                    self.fault_rows[fault.name or ""] += 1
        stamps = []
        for name, sample in row.samples.items():
            if sample is not None:
                stamps.append(sample.stamp_ns)
                self._ages[name].add((row.tick_ns - sample.stamp_ns) / NS_PER_S)
        for name in row.late_streams:
            self._late_rows[name] += 1
        if len(stamps) > 1:
            self._skew.add((max(stamps) - min(stamps)) / NS_PER_S)
        self._control(values)

    def report(self) -> dict[str, Any]:
        """The figures of the rows, plain data."""
        return {
            "rows": self.rows,
            "duration_s": round(self.rows / self._rate_hz, 6),
            "invalid_rows": self.invalid_rows,
            "fault_rows": dict(self.fault_rows),
            "clamped_rows": self.clamped_rows,
            "smoothed_rows": self.smoothed_rows,
            "handovers": self.handovers,
            "intervention_rows": self.intervention_rows,
            "source_rows": {str(code): count for code, count in self.source_rows.items()},
            "skew_ms": self._skew.report_ms(),
        }

    def stream_report(self, name: str) -> dict[str, Any]:
        """How old a stream was in the rows."""
        return {"age_ms": self._ages[name].report_ms(), "late_rows": self._late_rows[name]}

    def _control(self, values: Mapping[str, Any]) -> None:
        source = values.get("control/source")
        if source is not None:
            code = int(source)
            self.handovers += self._source is not None and code != self._source
            self._source = code
            self.source_rows[code] = self.source_rows.get(code, 0) + 1
        limited = np.asarray(values.get("control/limited", 0)).astype(np.uint8)
        self.clamped_rows += bool(np.any(limited & ~_SMOOTHED))
        self.smoothed_rows += bool(np.any(limited & _SMOOTHED))
        self.intervention_rows += bool(np.any(values.get("intervention", False)))


@dataclass(frozen=True, kw_only=True)
class QualityThresholds(QualityOptions):
    """When an episode is called bad. Fractions are of its rows.

    A row is clamped when the position, velocity or workspace limit of any joint was hit; what the
    acceleration limit and handovers only smooth is counted, but not held against it.

    Attributes:
        age_p99_ms: stream -> age of its samples in rows, 99th percentile, above which an episode
            is bad; streams that are not named have no bound.
    """

    age_p99_ms: Mapping[str, float] = field(default_factory=dict)


def quality_report(
    info: DatasetInfo,
    rows: RowMonitor,
    streams: Mapping[str, StreamMonitor],
    counts: Mapping[str, StreamCounts],
    thresholds: QualityThresholds,
) -> dict[str, Any]:
    """The report that an episode stores, plain data: figures, thresholds, verdict, reasons.

    Args:
        info: description of the dataset.
        rows: figures of the rows.
        streams: figures of each stream, by its name.
        counts: received and refused samples of each stream, by its name.
        thresholds: what the figures are judged by.
    """
    report = rows.report()
    report["streams"] = {
        stream.name: {
            **streams[stream.name].report(),
            **rows.stream_report(stream.name),
            **asdict(counts[stream.name]),
        }
        for stream in info.streams
    }
    return judge(report, thresholds)


def judge(report: Mapping[str, Any], thresholds: QualityThresholds) -> dict[str, Any]:
    """The report with `verdict` ("good" or "bad"), `reasons` and `thresholds` computed again."""
    reasons = [*_content_reasons(report, thresholds)]
    reasons += _invalid_reasons(report, report["invalid_rows"], thresholds)
    reasons += _pace_reasons(report, thresholds)
    return {
        **report,
        "thresholds": asdict(thresholds),
        "verdict": "bad" if reasons else "good",
        "reasons": reasons,
    }


def timing_reasons(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a report's reasons that speak of its timing; none when that was good.

    Something was too slow or silent then: rows without fresh samples, streams with gaps, below
    their rate, or apart. That the arm was clamped, a disk full or an episode short is none of it.
    It is computed from the figures, so that reports of earlier versions give it too.
    """
    known = {item.name for item in fields(QualityThresholds)}
    limits = QualityThresholds(**{k: v for k, v in report["thresholds"].items() if k in known})
    unencoded = report["fault_rows"].get(RowFault.FRAME_BAD.name, 0)
    found = [
        *_invalid_reasons(report, report["invalid_rows"] - unencoded, limits),
        *_pace_reasons(report, limits),
    ]
    # The words in brackets have changed between versions.
    heads = {_head(reason) for reason in found}
    return tuple(reason for reason in report["reasons"] if _head(reason) in heads)


def _head(reason: str) -> str:
    # Reports of earlier versions say "1 gaps".
    return reason.partition(" (")[0].replace(" 1 gaps,", " 1 gap,")


def _content_reasons(report: Mapping[str, Any], limits: QualityThresholds) -> Sequence[str]:
    reasons, rows = [], max(report["rows"], 1)
    if report["duration_s"] < limits.duration_min_s:
        reasons.append(f"only {report['duration_s']:g} s long")
    if report["clamped_rows"] / rows > limits.clamped_row_fraction:
        reasons.append(f"{report['clamped_rows']} of {report['rows']} rows were clamped")
    return reasons


def _invalid_reasons(
    report: Mapping[str, Any], invalid_rows: int, limits: QualityThresholds
) -> Sequence[str]:
    """That rows are invalid, where `invalid_rows` are too many of them."""
    if invalid_rows / max(report["rows"], 1) <= limits.invalid_row_fraction:
        return []
    counts = report["fault_rows"]
    faults = [
        f"{count} {words}"
        for fault, words in _FAULT_WORDS.items()
        if (count := counts.get(fault.name, 0))
    ]
    late = [
        f"{name} was late in {count}"
        for name, stream in report["streams"].items()
        if (count := stream.get("late_rows", 0))
    ]
    details = ", ".join([*faults, *late])
    return [f"{report['invalid_rows']} of {report['rows']} rows are invalid ({details})"]


def _pace_reasons(report: Mapping[str, Any], limits: QualityThresholds) -> Sequence[str]:
    reasons = []
    skew_ms = report["skew_ms"]["p99"]
    if skew_ms is not None and skew_ms > limits.skew_p99_ms:
        reasons.append(f"streams are {skew_ms:.0f} ms apart (p99)")
    for name, stream in report["streams"].items():
        reasons += _stream_reasons(name, stream, report["duration_s"], limits)
    return reasons


def _stream_reasons(
    name: str, stream: Mapping[str, Any], duration_s: float, limits: QualityThresholds
) -> Sequence[str]:
    reasons = []
    rate_hz, nominal_hz = stream["rate_hz"], stream["nominal_rate_hz"]
    if rate_hz is not None and rate_hz < (1 - limits.rate_error_fraction) * nominal_hz:
        reasons.append(f"{name} ran at {rate_hz:.1f} Hz instead of {nominal_hz:g} Hz")
    gaps_allowed = limits.gaps_per_minute * max(duration_s, 10.0) / 60
    if stream["gaps"] > gaps_allowed:
        reasons.append(
            f"{name} has {amount(stream['gaps'], 'gap')}, the longest "
            f"{stream['longest_gap_s']:.2f} s"
        )
    age_ms, bound_ms = stream["age_ms"]["p99"], limits.age_p99_ms.get(name)
    if age_ms is not None and bound_ms is not None and age_ms > bound_ms:
        reasons.append(f"{name} is {age_ms:.0f} ms old (p99)")
    return reasons
