"""Real-time scheduling that is given up where others starve; nothing is really asked for here."""

import pytest

from robot_learning.core import precedence
from robot_learning.core.precedence import LARGEST_SHARE, STARVED_TIMES, WINDOW_S, Precedence


class Machine:
    """Grants what is asked for, and has clocks that are set."""

    def __init__(self):
        self.grants, self.asked, self.given_up = True, [], 0
        self.now_s = self.cpu_s = 0.0

    def take_precedence(self, priority):
        self.asked.append(priority)
        return self.grants

    def give_up_precedence(self):
        self.given_up += 1

    def monotonic(self):
        return self.now_s

    def thread_time(self):
        return self.cpu_s

    def passes(self, share, seconds=WINDOW_S + 0.1):
        """Time, in which the loop took this share of a core."""
        self.now_s += seconds
        self.cpu_s += share * seconds


@pytest.fixture
def machine(monkeypatch):
    one = Machine()
    monkeypatch.setattr(precedence, "take_precedence", one.take_precedence)
    monkeypatch.setattr(precedence, "give_up_precedence", one.give_up_precedence)
    monkeypatch.setattr(precedence, "time", one)
    # The thread that watches would wait by the machine's own clock.
    monkeypatch.setattr(Precedence, "_watch", lambda self: None)
    return one


def test_it_is_kept_while_it_costs_little(machine):
    one = Precedence()
    assert one.take(20)
    assert machine.asked == [20]
    for _ in range(5):
        machine.passes(LARGEST_SHARE - 0.05)
        assert one.review() == ""
    assert machine.given_up == 0


def test_a_loop_that_takes_too_much_of_its_core_gives_it_up_and_says_so_once(machine):
    one = Precedence()
    one.take(20)
    machine.passes(LARGEST_SHARE + 0.2)
    assert one.review() == "its loop takes 70% of a core, more than 50%"
    assert machine.given_up == 1
    machine.passes(1.0)
    assert one.review() == ""
    assert machine.given_up == 1


def test_it_is_judged_once_in_a_window(machine):
    one = Precedence()
    one.take(20)
    machine.passes(1.0, 0.4 * WINDOW_S)
    assert one.review() == ""
    machine.passes(0.0, 0.4 * WINDOW_S)
    assert one.review() == ""
    machine.passes(0.0, 0.4 * WINDOW_S)
    assert one.review() == "", "a third of a core"
    assert machine.given_up == 0


def test_it_is_given_up_where_ordinary_threads_starve_again_and_again(machine):
    one = Precedence()
    one.take(20)
    one._starved = STARVED_TIMES - 1
    machine.passes(0.1)
    assert one.review() == "", "an accident"
    one._starved = STARVED_TIMES
    machine.passes(0.1)
    assert one.review() == "ordinary threads waited for a core longer than 0.25 s"
    assert machine.given_up == 1


def test_what_was_not_granted_is_not_given_up(machine):
    machine.grants = False
    one = Precedence()
    assert not one.take(20)
    machine.passes(1.0)
    assert one.review() == ""
    one.give_up()
    assert machine.given_up == 0


def test_the_thread_that_watches_counts_how_often_it_woke_late_and_ends(monkeypatch):
    one = Precedence()
    now_s, wakes = [0.0], iter([0.0, 0.4, 0.0, 0.3, 0.0])
    monkeypatch.setattr(precedence.time, "monotonic", lambda: now_s[0])

    class Ended:
        def wait(self, duration_s):
            late_s = next(wakes, None)
            now_s[0] += duration_s + (late_s or 0.0)
            return late_s is None

    one._ended = Ended()
    one._watch()
    assert one._starved == 2
