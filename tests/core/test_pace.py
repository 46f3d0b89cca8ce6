"""How far a loop falls behind, and who is told."""

import pytest

from robot_learning.core.clocks import NS_PER_S, ManualClock
from robot_learning.core.pace import ADVICE, Pace, PaceMeter, SlowLoops
from robot_learning.core.pacing import Pacer

MS = 1_000_000


class Loop:
    """A loop of 100 Hz that runs in some of its periods."""

    def __init__(self):
        self.clock = ManualClock()
        self.pacer = Pacer(100.0, self.clock)
        self.meter = PaceMeter()
        self.meter.update(self.pacer, 0)

    def second(self, ticks):
        """One in which it ticks so often, evenly; what is told at the end of it."""
        begun_ns = self.clock.now_ns()
        told = []
        for tick in range(ticks):
            self.clock.set_ns(begun_ns + round(tick * NS_PER_S / ticks))
            self.pacer.tick()
            told.append(self.meter.update(self.pacer, self.clock.now_ns()))
        assert not any(told), "only once in a window"
        self.clock.set_ns(begun_ns + NS_PER_S)
        return self.meter.update(self.pacer, self.clock.now_ns())


def test_a_loop_that_keeps_its_rate_is_not_slow():
    pace = Loop().second(100)
    assert not pace.is_slow
    assert str(pace) == "100 of 100 Hz"


def test_a_loop_is_slow_below_nine_periods_in_ten_and_well_again_from_ninety_five():
    loop = Loop()
    # Who ticks fewer times in a second than there are periods misses the others.
    slow = [loop.second(ticks).is_slow for ticks in (100, 92, 85, 92, 93, 98, 92, 50)]
    assert slow == [False, False, True, True, True, False, False, True]


def test_the_rate_is_that_of_the_window():
    loop = Loop()
    loop.second(100)
    pace = loop.second(43)
    assert pace.rate_hz == pytest.approx(43.0)
    assert str(pace) == "43 of 100 Hz"


def test_another_pacer_begins_a_new_window_and_none_is_not_judged():
    loop = Loop()
    assert loop.second(10).is_slow
    assert loop.meter.update(None, loop.clock.now_ns()) is None
    loop.clock.advance_ns(5 * NS_PER_S)
    loop.pacer = Pacer(100.0, loop.clock)
    assert loop.meter.update(loop.pacer, loop.clock.now_ns()) is None
    assert not loop.second(92).is_slow, "that the one before was slow does not count"


def test_slow_loops_are_named_once_each_with_what_helps():
    loops = SlowLoops()
    loops.note("robot_node", Pace(43.0, 100.0, True), 0)
    loops.note("arbiter_node", Pace(60.0, 100.0, True), 0)
    loops.note("robot_node", Pace(44.0, 100.0, True), 10 * MS)
    loops.note("teleop_node", Pace(50.0, 50.0, False), 0)
    named = "arbiter_node 60 of 100 Hz, robot_node 44 of 100 Hz"
    assert loops.line(20 * MS) == f"too slow: {named}; {ADVICE}"


def test_in_brief_the_slowest_one_is_named_with_its_rates():
    loops = SlowLoops()
    assert loops.brief(0) == ""
    loops.note("arbiter_node", Pace(60.0, 100.0, True), 0)
    loops.note("teleop_node", Pace(21.5, 50.0, True), 0)
    assert loops.brief(0) == "slow: teleop 22/50 Hz +1"
    loops.note("teleop_node", Pace(0.96, 50.0, True), 0)
    assert loops.brief(0) == "slow: teleop 0.96/50 Hz +1"
    loops.note("teleop_node", Pace(50.0, 50.0, False), 0)
    assert loops.brief(0) == "slow: arbiter 60/100 Hz"


def test_who_is_well_again_or_was_not_heard_for_a_while_is_not_named():
    loops = SlowLoops()
    loops.note("robot_node", Pace(43.0, 100.0, True), 0)
    loops.note("arbiter_node", Pace(60.0, 100.0, True), 2 * NS_PER_S)
    loops.note("robot_node", Pace(99.0, 100.0, False), 2 * NS_PER_S)
    assert loops.line(3 * NS_PER_S).startswith("too slow: arbiter_node 60 of 100 Hz;")
    assert loops.line(6 * NS_PER_S) == ""
