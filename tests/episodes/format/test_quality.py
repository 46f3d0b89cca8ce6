import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.core.vocabulary import Source
from robot_learning.episodes.format.quality import (
    Distribution,
    QualityThresholds,
    StreamMonitor,
    judge,
    timing_reasons,
)
from robot_learning.episodes.format.schema import EpisodeMetadata
from robot_learning.episodes.recording.recorder import Recorder
from robot_learning.episodes.recording.writer import WriterSettings
from robot_learning.episodes.store.episode import Episode
from robot_learning.episodes.store.folder import DatasetFolder


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200))
def test_percentiles_are_right_to_a_bin(values: list[float]) -> None:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    for percent in (50, 99):
        exact = np.percentile(values, percent, method="inverted_cdf")
        found = distribution.percentile_s(percent)
        assert found is not None
        assert exact * 0.999 <= found <= exact * 1.013
    assert distribution.report_ms()["max"] == pytest.approx(max(values) * 1e3, abs=1e-4)


def test_percentiles_of_nothing() -> None:
    assert Distribution().report_ms() == {"p50": None, "p99": None, "max": None}


def test_a_stream_that_jitters_and_pauses() -> None:
    monitor = StreamMonitor(100.0, gap_periods=3.0)
    for stamp_ms in (0, 10, 21, 30, 40, 140, 150, 145, 160):
        monitor.sample(stamp_ms * 1_000_000)
    report = monitor.report()
    assert report["gaps"] == 1
    assert report["longest_gap_s"] == pytest.approx(0.1)
    assert report["rate_hz"] == pytest.approx(8 / 0.16)
    assert report["jitter_ms"]["max"] == pytest.approx(90)


@pytest.fixture
def report(folder: DatasetFolder, feed_streams) -> dict:
    """The human drives, then the policy, then the cameras stop; some rows are clamped."""
    recorder = Recorder(folder, settings=WriterSettings(min_free_bytes=0, sync=False))
    feed_streams(recorder, 0.0, 0.2)
    recorder.start(EpisodeMetadata(), seconds_to_ns(0.2))
    feed_streams(recorder, 0.2, 1.2)
    feed_streams(recorder, 1.2, 2.2, Source.POLICY)
    saved = recorder.stop()
    with Episode(folder.episodes_path / saved.summary.name) as episode:
        assert episode.quality == saved.quality
    return dict(saved.quality)


def test_what_the_report_counts(report: dict) -> None:
    assert (report["rows"], report["duration_s"]) == (101, 2.02)
    assert report["handovers"] == 1
    assert report["source_rows"] == {"1": 51, "2": 50}
    assert report["intervention_rows"] == 51
    assert report["clamped_rows"] == 0
    assert report["streams"]["joints"]["rate_hz"] == pytest.approx(500)
    assert report["streams"]["front"]["age_ms"]["max"] == pytest.approx(37)
    assert report["verdict"] == "good"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duration_min_s": 3.0}, "only 2.02 s long"),
        ({"skew_p99_ms": 10.0}, "streams are 37 ms apart (p99)"),
        ({"age_p99_ms": {"front": 20.0}}, "front is 37 ms old (p99)"),
        ({"rate_error_fraction": -0.5}, "joints ran at 500.0 Hz instead of 500 Hz"),
    ],
)
def test_thresholds_decide_and_give_reasons(report: dict, change: dict, reason: str) -> None:
    judged = judge(report, QualityThresholds(**change))
    assert judged["verdict"] == "bad"
    assert reason in judged["reasons"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"invalid_rows": 30, "fault_rows": {"STALE": 30, "MISSING": 0}},
         "30 of 101 rows are invalid (30 with a sample too old)"),
        ({"clamped_rows": 60}, "60 of 101 rows were clamped"),
    ],
)  # fmt: skip
def test_rows_give_reasons(report: dict, change: dict, reason: str) -> None:
    assert judge({**report, **change}, QualityThresholds())["reasons"] == [reason]


def test_gaps_give_a_reason(report: dict) -> None:
    stream = {**report["streams"]["front"], "gaps": 4, "longest_gap_s": 0.5}
    streams = {**report["streams"], "front": stream}
    judged = judge({**report, "streams": streams}, QualityThresholds())
    assert judged["reasons"] == ["front has 4 gaps, the longest 0.50 s"]


TOO_SLOW = [
    {"skew_ms": {"p50": 9.0, "p99": 250.0, "max": 300.0}},
    {"invalid_rows": 30, "fault_rows": {"STALE": 20, "MISSING": 0, "FRAME_LOST": 10}},
]
NOT_ITS_TIMING = [
    {"clamped_rows": 60},
    {"duration_s": 0.2},
    {"invalid_rows": 30, "fault_rows": {"FRAME_BAD": 30}},
]


@pytest.mark.parametrize("change", TOO_SLOW)
def test_what_was_too_slow_is_a_matter_of_timing(report: dict, change: dict) -> None:
    judged = judge({**report, **change}, QualityThresholds())
    assert timing_reasons(judged) == tuple(judged["reasons"]) != ()


@pytest.mark.parametrize("change", NOT_ITS_TIMING)
def test_what_else_is_bad_is_not(report: dict, change: dict) -> None:
    judged = judge({**report, **change}, QualityThresholds())
    assert judged["verdict"] == "bad"
    assert timing_reasons(judged) == ()


def test_a_slow_stream_with_gaps_is_named_and_a_full_disk_is_not(report: dict) -> None:
    slow = {**report["streams"]["front"], "rate_hz": 12.34, "gaps": 4, "longest_gap_s": 0.5}
    judged = judge({**report, "streams": {**report["streams"], "front": slow}}, QualityThresholds())
    judged["reasons"].append("stopped early: the disk is nearly full")
    assert timing_reasons(judged) == (
        "front ran at 12.3 Hz instead of 30 Hz",
        "front has 4 gaps, the longest 0.50 s",
    )


def test_late_streams_are_named_and_reports_of_before_are_understood(report: dict) -> None:
    late = {**report["streams"]["front"], "late_rows": 29}
    change = {"invalid_rows": 30, "fault_rows": {"STALE": 29, "FRAME_LOST": 1}}
    streams = {**report["streams"], "front": late}
    judged = judge({**report, **change, "streams": streams}, QualityThresholds())
    (reason,) = timing_reasons(judged)
    assert reason == (
        "30 of 101 rows are invalid (29 with a sample too old, 1 with a frame lost, front was "
        "late in 29)"
    )
    before = "30 of 101 rows are invalid (29 STALE, 1 FRAME_LOST)"
    judged |= {"reasons": [before], "thresholds": {"invalid_row_fraction": 0.02, "unknown": 1}}
    assert timing_reasons(judged) == (before,)


def test_one_gap_is_told_in_the_singular_and_reports_that_did_not_are_understood(
    report: dict,
) -> None:
    stream = {**report["streams"]["front"], "gaps": 1, "longest_gap_s": 0.5}
    streams = {**report["streams"], "front": stream}
    judged = judge({**report, "streams": streams}, QualityThresholds(gaps_per_minute=0.0))
    assert timing_reasons(judged) == ("front has 1 gap, the longest 0.50 s",)
    before = "front has 1 gaps, the longest 0.50 s"
    assert timing_reasons(judged | {"reasons": [before]}) == (before,)


def test_a_rate_that_rows_alone_do_not_tell_is_no_reason(report: dict) -> None:
    # Of trimmed and recovered episodes: every second sample stands in no row.
    slow = {**report["streams"]["joints"], "rate_hz": 50.0}
    judged = judge(
        {**report, "streams": {**report["streams"], "joints": slow}}, QualityThresholds()
    )
    judged["reasons"] = ["only 0.2 s long"]
    assert timing_reasons(judged) == ()
