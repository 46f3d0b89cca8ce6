"""Replies that are outstanding, and the lengths that are free of them."""

from robot_learning.servos.late_replies import LateReplies


def test_the_next_request_has_a_length_that_nothing_outstanding_has() -> None:
    late = LateReplies(lifetime_ns=100)
    assert late.lead(15, 3, now_ns=0) == 0
    late.owe(15, [3], now_ns=0)
    late.owe(16, [3, 4], now_ns=10)
    assert late.lead(15, 3, now_ns=20) == 2
    assert late.take(15, 3)
    assert not late.take(15, 3)
    assert late.lead(15, 3, now_ns=20) == 0
    assert late.lead(16, 0, now_ns=20) is None


def test_where_all_lengths_are_outstanding_there_is_none() -> None:
    late = LateReplies(lifetime_ns=100)
    for size, now_ns in ((16, 0), (15, 10), (17, 20)):
        late.owe(size, [1], now_ns)
    assert late.lead(15, 2, now_ns=30) is None
    assert late.lead(15, 2, now_ns=100) == 1


def test_a_length_is_free_again_after_a_while() -> None:
    late = LateReplies(lifetime_ns=100)
    late.owe(2, [1], now_ns=0)
    assert late.free_at_ns(2, now_ns=50) == 100
    assert late.free_at_ns(2, now_ns=100) == 100
    assert not late.take(2, 1)
