import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.core.clocks import seconds_to_ns
from robot_learning.episodes.format.errors import EpisodeError
from robot_learning.episodes.format.sampler import (
    NEVER_NS,
    Sample,
    SampledRow,
    Sampler,
    row_ticks_ns,
    sample_log,
)
from robot_learning.episodes.format.schema import RowFault, Stream

TOLERANCE_S = 20e-9
STREAMS = (Stream("fast", 500.0, 15e-9, ()), Stream("slow", 30.0, 40e-9, ()))

# Small whole numbers, so that equal stamps, ties and exact ages come up often.
messages = st.lists(
    st.tuples(st.sampled_from(["fast", "slow"]), st.integers(0, 100), st.integers(-25, 60)),
    max_size=60,
)
tick_sets = st.lists(st.integers(0, 120), min_size=1, max_size=25, unique=True).map(sorted)


def log_of(drawn: list) -> dict[str, list[Sample]]:
    logs: dict[str, list[Sample]] = {stream.name: [] for stream in STREAMS}
    for number, (name, receive_ns, latency_ns) in enumerate(drawn):
        logs[name].append(Sample(receive_ns - latency_ns, receive_ns, {"number": number}))
    return logs


def by_the_definition(logs: dict[str, list[Sample]], tick_ns: int) -> dict[str, int | None]:
    """The stamps that the sampling rule asks for, straight from its words."""
    stamps = {}
    for name, samples in logs.items():
        eligible = [
            sample.stamp_ns
            for sample in samples
            if sample.stamp_ns <= tick_ns
            and sample.receive_ns <= tick_ns
            and sample.stamp_ns - sample.receive_ns <= 20
        ]
        stamps[name] = max(eligible, default=None)
    return stamps


def run_live(
    logs: dict[str, list[Sample]], ticks_ns: list[int], held_back: int
) -> list[SampledRow]:
    """As a node would: in order of receipt, ticks handled up to `held_back` messages late."""
    sampler = Sampler(STREAMS, TOLERANCE_S)
    arrivals = sorted(
        ((name, sample) for name, samples in logs.items() for sample in samples),
        key=lambda item: item[1].receive_ns,
    )
    rows, due, late = [], list(ticks_ns), 0
    for name, sample in arrivals:
        if due and due[0] < sample.receive_ns:
            late += 1
            if late > held_back:
                late = 0
                while due and due[0] < sample.receive_ns:
                    rows.append(sampler.sample(due.pop(0)))
        sampler.push(name, sample)
    return rows + [sampler.sample(tick_ns) for tick_ns in due]


@settings(max_examples=300, deadline=None)
@given(drawn=messages, ticks_ns=tick_sets, held_back=st.integers(0, 4))
def test_live_feeding_and_a_log_give_equal_rows(drawn, ticks_ns, held_back) -> None:
    logs = log_of(drawn)
    offline = list(sample_log(STREAMS, logs, ticks_ns, TOLERANCE_S))
    assert [row.tick_ns for row in offline] == ticks_ns
    assert run_live(logs, ticks_ns, held_back) == offline


@settings(max_examples=300, deadline=None)
@given(drawn=messages, ticks_ns=tick_sets)
def test_rows_hold_what_the_definition_says(drawn, ticks_ns) -> None:
    logs = log_of(drawn)
    for row in sample_log(STREAMS, logs, ticks_ns, TOLERANCE_S):
        expected = by_the_definition(logs, row.tick_ns)
        found = {name: s.stamp_ns if s else None for name, s in row.samples.items()}
        assert found == expected
        late = {
            stream.name
            for stream in STREAMS
            if expected[stream.name] is None
            or row.tick_ns - expected[stream.name] > seconds_to_ns(stream.max_age_s)
        }
        assert set(row.late_streams) == late
        assert bool(row.faults) == bool(late)
        assert (RowFault.MISSING in row.faults) == (None in expected.values())


def test_the_age_is_taken_from_the_stamp() -> None:
    sampler = Sampler(STREAMS, TOLERANCE_S)
    sampler.push("fast", Sample(10, 12, {}))
    row = sampler.sample(30)
    assert row.age_ns("fast") == 20
    assert row.age_ns("slow") == NEVER_NS
    assert row.faults == RowFault.STALE | RowFault.MISSING


def test_refused_and_useless_samples_are_counted() -> None:
    sampler = Sampler(STREAMS, TOLERANCE_S)
    assert not sampler.push("fast", Sample(100, 10, {}))
    assert sampler.push("fast", Sample(20, 20, {}))
    assert sampler.push("fast", Sample(15, 21, {}))
    row = sampler.sample(200)
    assert row.samples["fast"].stamp_ns == 20
    counts = sampler.counts["fast"]
    assert (counts.received, counts.refused_future, counts.out_of_order) == (3, 1, 1)


def test_a_sampler_that_is_never_ticked_stays_small() -> None:
    sampler = Sampler(STREAMS, TOLERANCE_S)
    for index in range(20_000):
        sampler.push("fast", Sample(index, index, {}))
    assert sampler.counts["fast"].overflowed == 20_000 - 8192


def test_rows_never_go_back() -> None:
    sampler = Sampler(STREAMS, TOLERANCE_S)
    sampler.sample(10)
    with pytest.raises(EpisodeError, match="move forward in time: 10 ns after 10 ns"):
        sampler.sample(10)


def test_an_unknown_stream_is_named() -> None:
    with pytest.raises(EpisodeError, match="unknown stream 'fst'; did you mean 'fast'"):
        Sampler(STREAMS).push("fst", Sample(0, 0, {}))


def test_row_ticks_do_not_drift() -> None:
    ticks_ns = list(row_ticks_ns(7, 30.0, 7 + 3_600_000_000_000))
    assert len(ticks_ns) == 30 * 3600 + 1
    assert ticks_ns[-1] == 7 + 3_600_000_000_000
    assert set(np.diff(ticks_ns)) == {33_333_333, 33_333_334}
