"""The quality report of rows that were recorded before: recovered, trimmed or imported ones."""

from __future__ import annotations

from typing import Any

import h5py

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.quality import (
    QualityThresholds,
    RowMonitor,
    StreamMonitor,
    quality_report,
)
from robot_learning.episodes.format.sampler import NEVER_NS, Sample, SampledRow, StreamCounts
from robot_learning.episodes.format.schema import DatasetInfo, RowFault


def quality_of_rows(
    file: h5py.File, info: DatasetInfo, rows: int, thresholds: QualityThresholds | None = None
) -> dict[str, Any]:
    """The report as far as the rows show it: of each stream only the samples that are in rows.

    Args:
        file: the episode file.
        info: description of the dataset.
        rows: number of rows to judge, from the first.
        thresholds: what the figures are judged by; None for the defaults.
    """
    thresholds = thresholds or QualityThresholds()
    monitor = RowMonitor(info)
    streams = {s.name: StreamMonitor(s.rate_hz, thresholds.gap_periods) for s in info.streams}
    counts = {s.name: StreamCounts() for s in info.streams}
    ticks_ns, invalid = file["tick_ns"][:], file["invalid"][:]
    times = {
        s.name: [file[f"streams/{s.name}/{name}"][:] for name in ("stamp_ns", "receive_ns")]
        for s in info.streams
    }
    control_paths = ("control/source", "control/limited", "intervention")
    control = {path: file[path][:] for path in control_paths if path in file}
    max_age_ns = {s.name: seconds_to_ns(s.max_age_s) for s in info.streams}
    for row in range(rows):
        samples: dict[str, Sample | None] = {}
        late = []
        for name, (stamps, receipts) in times.items():
            stamp_ns = int(stamps[row])
            is_new = stamp_ns != NEVER_NS and (row == 0 or stamp_ns != stamps[row - 1])
            if is_new:
                streams[name].sample(stamp_ns)
                counts[name].received += 1
            missing = stamp_ns == NEVER_NS
            samples[name] = None if missing else Sample(stamp_ns, int(receipts[row]), {})
            if missing or ticks_ns[row] - stamp_ns > max_age_ns[name]:
                late.append(name)
        sampled = SampledRow(int(ticks_ns[row]), samples, RowFault(0), tuple(late))
        values = {path: column[row] for path, column in control.items()}
        monitor.row(sampled, RowFault(int(invalid[row])), values)
    report = quality_report(info, monitor, streams, counts, thresholds)
    # A stream faster than the rows shows at most the rows' rate here: no reason to call it slow.
    report["reasons"] = [reason for reason in report["reasons"] if " Hz instead of " not in reason]
    report["verdict"] = "bad" if report["reasons"] else "good"
    return report


def quality_of_corrective_rows(file: h5py.File, info: DatasetInfo, rows: int) -> dict[str, Any]:
    """The report of corrective labels, of which few are as good as many, and none takes time.

    Args:
        file: the episode file.
        info: description of the dataset.
        rows: number of rows to judge, from the first.
    """
    report = quality_of_rows(file, info, rows, QualityThresholds(duration_min_s=0.0))
    # The source also where the dataset records nobody's control, as an imported one.
    sources = {str(int(Source.CORRECTIVE)): rows}
    return {**report, "duration_s": 0.0, "source_rows": sources}
