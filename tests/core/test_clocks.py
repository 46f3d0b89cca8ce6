import time

from robot_learning.core.clocks import ManualClock, SteadyClock, seconds_to_ns


def test_seconds_are_rounded_to_the_nearest_nanosecond() -> None:
    # 0.1 and 1/3 are no binary fractions: truncation would be one nanosecond short.
    assert seconds_to_ns(0.29) == 290_000_000
    assert seconds_to_ns(1 / 3) == 333_333_333
    assert seconds_to_ns(-1.5) == -1_500_000_000


def test_the_steady_clock_moves_with_real_time_and_never_back() -> None:
    clock = SteadyClock()
    times_ns = [clock.now_ns() for _ in range(1000)]
    assert times_ns == sorted(times_ns)
    time.sleep(0.01)
    assert clock.now_ns() - times_ns[-1] >= 10_000_000


def test_the_manual_clock_moves_only_when_told_even_backwards() -> None:
    clock = ManualClock(5)
    assert clock.now_ns() == 5
    clock.advance_ns(7)
    assert clock.now_ns() == 12
    clock.set_ns(3)
    assert clock.now_ns() == 3
