import math
import time

import pytest

from robot_learning.core.clocks import ManualClock
from robot_learning.core.pacing import Pacer, RateMeter

MS = 1_000_000


def test_a_perfect_rhythm_has_its_rate_and_no_jitter() -> None:
    meter = RateMeter(100.0)
    for tick in range(50):
        meter.tick(tick * 10 * MS)
    report = meter.report()
    assert report.rate_hz == pytest.approx(100.0)
    assert report.jitter_max_ms == pytest.approx(0.0, abs=1e-9)
    assert report.ticks == 50


def test_one_late_tick_shows_in_the_largest_jitter_only() -> None:
    meter = RateMeter(100.0)
    times_ms = [*range(0, 1000, 10), 1003, *range(1013, 2000, 10)]
    for time_ms in times_ms:
        meter.tick(time_ms * MS)
    report = meter.report()
    assert report.jitter_max_ms == pytest.approx(3.0)
    assert report.jitter_p50_ms == pytest.approx(0.0, abs=1e-9)


def test_only_the_window_counts() -> None:
    meter = RateMeter(100.0, window=10)
    meter.tick(0)
    meter.tick(500 * MS)
    for tick in range(1, 11):
        meter.tick((500 + 10 * tick) * MS)
    assert meter.report().jitter_max_ms == pytest.approx(0.0, abs=1e-9)


def test_too_few_ticks_give_no_figure_rather_than_a_wrong_one() -> None:
    meter = RateMeter(50.0)
    meter.tick(0)
    report = meter.report()
    assert math.isnan(report.rate_hz)
    assert report.ticks == 1


def test_the_pacer_never_ticks_early() -> None:
    pacer = Pacer(200.0)
    begin_ns = time.monotonic_ns()
    for _ in range(11):
        pacer.wait()
    assert time.monotonic_ns() - begin_ns >= 10 * pacer.period_ns


def test_the_first_tick_is_due_at_once() -> None:
    pacer = Pacer(0.01)
    assert pacer.remaining_s() == 0.0
    pacer.wait()
    assert 0.0 < pacer.remaining_s() <= 100.0


def test_missed_periods_are_skipped_and_counted_not_caught_up() -> None:
    pacer = Pacer(20.0)
    pacer.wait()
    time.sleep(0.23)  # four whole periods and more
    pacer.wait()
    assert pacer.meter.missed >= 3
    # A burst to catch up would find the next tick due at once.
    before_ns = time.monotonic_ns()
    pacer.wait()
    pacer.wait()
    assert time.monotonic_ns() - before_ns >= pacer.period_ns


def test_a_pacer_keeps_the_time_of_the_clock_that_it_is_given() -> None:
    clock = ManualClock()
    pacer = Pacer(100.0, clock)
    ticks = []
    for period in range(0, 100, 4):
        clock.set_ns(period * MS)
        if pacer.is_due:
            pacer.tick()
            ticks.append(period)
    # In the first turn in which it is due, without drift.
    assert ticks == [0, 12, 20, 32, 40, 52, 60, 72, 80, 92]
    assert pacer.meter.missed == 0
    assert pacer.remaining_s() == pytest.approx(0.004)
    clock.set_ns(132 * MS)
    pacer.tick()
    assert pacer.meter.missed == 3


def test_a_loop_that_is_not_paced_is_always_due_and_misses_nothing() -> None:
    clock = ManualClock()
    pacer = Pacer(100.0, clock, paced=False)
    for now_ms in (0, 0, 1, 500, 500):
        clock.set_ns(now_ms * MS)
        assert pacer.is_due
        assert pacer.remaining_s() == 0.0
        pacer.tick()
    assert (pacer.meter.ticks, pacer.meter.missed) == (5, 0)
