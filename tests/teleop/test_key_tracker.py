"""No sequence of presses, losses and pauses leaves a key stuck."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from robot_learning.teleop.key_tracker import KeyTracker

TICK_NS = 20_000_000
KEYS = (1, 2, 3)
steps = st.tuples(
    st.sampled_from(["press", "release", "lost_release", "repeat", "unfocus", "pause", "none"]),
    st.sampled_from(KEYS),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40))
def test_a_key_counts_only_while_it_is_physically_down_and_was_pressed_after_a_loss(
    sequence: list[tuple[str, int]],
) -> None:
    tracker, physical, now_ns = KeyTracker(), set[int](), 0
    stale: set[int] = set()  # down since before the last loss
    for what, key in sequence:
        trusted, pause_ns = True, TICK_NS
        if what == "press" and key not in physical:
            physical.add(key)
            tracker.press(key)
        elif what == "repeat" and key in physical:
            tracker.press(key)
        elif what == "release" and key in physical:
            physical.discard(key)
            tracker.release(key)
        elif what == "lost_release":
            physical.discard(key)
        elif what == "unfocus":
            trusted = False
        elif what == "pause":
            pause_ns = 1_000_000_000
        now_ns += pause_ns
        reading = tracker.poll(now_ns, trusted, physical)
        stale &= physical
        if not reading.trusted:
            stale = set(physical)
            assert not reading.down
        # A tap, or a press that the snapshot may precede, may be reported for one more poll.
        now_ns += TICK_NS
        settled = tracker.poll(now_ns, True, physical)
        if not settled.trusted:
            stale = set(physical)
        assert settled.down <= physical - stale


def test_only_presses_that_count_are_told() -> None:
    modifier, key = 9, 1
    tracker = KeyTracker(frozenset({modifier}))
    assert tracker.press(key)
    assert not tracker.press(key), "a repeat"
    tracker.release(key)
    assert tracker.press(modifier)
    assert not tracker.press(key), "meant for the window system"


def test_without_the_physical_state_a_loss_still_releases() -> None:
    tracker = KeyTracker()
    tracker.poll(0, True, None)
    tracker.press(1)
    assert tracker.poll(TICK_NS, True, None).down == {1}
    assert not tracker.poll(2 * TICK_NS, False, None).down
    tracker.press(1)  # auto-repeat
    assert not tracker.poll(3 * TICK_NS, True, None).down
    tracker.release(1)
    tracker.press(1)
    assert tracker.poll(4 * TICK_NS, True, None).down == {1}


def test_a_tap_between_two_polls_counts_once() -> None:
    tracker = KeyTracker()
    tracker.poll(0, True, frozenset())
    tracker.press(1)
    tracker.release(1)
    assert tracker.poll(TICK_NS, True, frozenset()).down == {1}
    assert not tracker.poll(2 * TICK_NS, True, frozenset()).down


def test_a_press_newer_than_the_snapshot_is_kept() -> None:
    tracker = KeyTracker()
    tracker.press(1)
    assert tracker.poll(TICK_NS, True, frozenset()).down == {1}
    assert tracker.poll(2 * TICK_NS, True, {1}).down == {1}


def test_time_that_runs_backwards_releases() -> None:
    tracker = KeyTracker()
    tracker.poll(10 * TICK_NS, True, {1})
    tracker.press(1)
    assert not tracker.poll(9 * TICK_NS, True, {1}).trusted
