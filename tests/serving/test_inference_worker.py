"""The thread that computes: batches, exchanges, failures, and an end while it is busy."""

import os
import re
import threading

import numpy as np
import pytest
from steering_policy import steering_spec

from robot_learning.core.pacing import give_up_precedence, take_precedence
from robot_learning.serving.inference_worker import InferenceRequest, InferenceWorker
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient

TIMEOUT_S = 20.0


class Counting(PolicyClient):
    """Answers with the number of windows in the batch; waits while `gate` is closed."""

    def __init__(self, tag=0.0, error=None):
        self.spec = steering_spec(["pan"])
        self.batches = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = threading.Event()
        self.error = error
        self.tag = tag

    def infer(self, windows, prefixes):
        self.entered.set()
        assert self.gate.wait(TIMEOUT_S)
        self.batches.append([window.stamp_ns for window in windows])
        if self.error is not None:
            raise self.error
        return np.full((len(windows), 16, 1), self.tag)

    def close(self):
        self.closed.set()


class Inbox:
    def __init__(self, client, **options):
        self.arrived = threading.Semaphore(0)
        self.worker = InferenceWorker(client, self.arrived.release, **options)

    def next(self):
        assert self.arrived.acquire(timeout=TIMEOUT_S)
        return self.worker.take_results()


@pytest.fixture
def inbox():
    made = []

    def make(client, **options):
        made.append(Inbox(client, **options))
        return made[-1]

    yield make
    for one in made:
        one.worker.close()


def request(stamp_ns=1, arm=0):
    return InferenceRequest(arm, 0, Window(stamp_ns, {}), None, 0)


def test_a_request_is_answered_with_its_times(inbox):
    box = inbox(Counting(tag=3.0))
    asked = request()
    box.worker.submit(asked)
    (result,) = box.next()
    assert result.request is asked
    assert result.actions.shape == (16, 1) and result.actions[0, 0] == 3.0
    assert 0.0 <= result.inference_s < TIMEOUT_S


def test_a_client_may_tell_its_disagreement_by_the_former_name(inbox):
    class Former(Counting):
        def doubt(self, windows, actions):
            return np.full(len(windows), 0.25)

    box = inbox(Former())
    box.worker.submit(request())
    assert box.next()[0].disagreement == 0.25


def test_of_each_arm_only_the_newest_request_waits_and_all_arms_go_into_one_batch(inbox):
    client = Counting()
    box = inbox(client, arms=3)
    client.gate.clear()
    box.worker.submit(request(1))
    assert client.entered.wait(TIMEOUT_S)
    for arm, stamp in ((0, 2), (0, 3), (2, 4), (1, 5)):
        box.worker.submit(request(stamp, arm))
    client.gate.set()
    results = box.next()
    while len(results) < 4:
        results += box.next()
    assert client.batches == [[1], [3, 5, 4]]
    assert [result.request.arm for result in results] == [0, 0, 1, 2]


def test_waiting_for_the_other_arms_gathers_them(inbox):
    client = Counting()
    box = inbox(client, arms=2, gather_s=TIMEOUT_S)
    box.worker.submit(request(1, 0))
    box.worker.submit(request(2, 1))
    assert len(box.next()) == 2
    assert client.batches == [[1, 2]]


def test_an_exception_is_an_answer_and_the_thread_goes_on(inbox):
    client = Counting(error=RuntimeError("out of\nmemory"))
    box = inbox(client)
    box.worker.submit(request())
    (result,) = box.next()
    assert result.actions is None and result.problem == "RuntimeError: out of memory"
    client.error = None
    box.worker.submit(request())
    assert box.next()[0].actions is not None


def test_a_client_is_exchanged_between_two_inferences(inbox):
    before, after = Counting(1.0), Counting(2.0)
    box = inbox(before)
    before.gate.clear()
    box.worker.submit(request(1))
    assert before.entered.wait(TIMEOUT_S)
    box.worker.swap(after)
    box.worker.submit(request(2))
    assert not before.closed.wait(0.05), "it is still at work"
    before.gate.set()
    assert before.closed.wait(TIMEOUT_S)
    results = box.next()
    while len(results) < 2:
        results += box.next()
    assert [result.actions[0, 0] for result in results] == [1.0, 2.0]
    assert not after.closed.is_set()


def test_nobody_waits_for_a_client_that_takes_long_to_close(inbox):
    before, after = Counting(1.0), Counting(2.0)
    ended = threading.Event()
    before.close = lambda: ended.wait(TIMEOUT_S)
    box = inbox(before)
    box.worker.swap(after)
    box.worker.submit(request())
    assert box.next()[0].actions[0, 0] == 2.0
    ended.set()


def test_closing_does_not_wait_for_ever_for_a_stuck_policy(inbox):
    client = Counting()
    box = inbox(client)
    client.gate.clear()
    box.worker.submit(request())
    assert client.entered.wait(TIMEOUT_S)
    assert not box.worker.close(timeout_s=0.01)
    client.gate.set()
    assert box.worker.close(timeout_s=TIMEOUT_S)


def test_precedence_follows_the_client_and_is_given_up_again(inbox):
    quick, slow = Counting(), Counting()
    seen = []

    def infer(windows, prefixes):
        seen.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        return np.zeros((len(windows), 16, 1))

    quick.infer = slow.infer = infer
    box = inbox(quick, priority=1)
    for client, priority in ((quick, 1), (slow, None), (quick, 1)):
        box.worker.swap(client, priority)
        box.worker.submit(request())
        box.next()
    granted = take_precedence(1)
    give_up_precedence()
    precedence = os.SCHED_FIFO if granted else os.SCHED_OTHER
    assert seen == [precedence, os.SCHED_OTHER, precedence]


CHUNK = np.zeros((1, 16, 1))


@pytest.mark.parametrize(
    ("actions", "disagreement", "risk", "problem"),
    [
        ([[["a"]] * 16], None, None, "its actions: expected numbers: ValueError"),
        ([[[0.0]], [[0.0], [0.0]]], None, None, "its actions: expected numbers: ValueError"),
        ({}, None, None, "its actions: expected numbers: TypeError"),
        (None, None, None, r"its actions: expected shape \(1, 16, 1\), found \(\)"),
        (CHUNK[:0], None, None, r"its actions: expected .* found \(0, 16, 1\)"),
        (CHUNK[:, :15], None, None, r"its actions: expected .* found \(1, 15, 1\)"),
        (CHUNK, [], None, r"its disagreement: expected shape \(1,\), found \(0,\)"),
        (CHUNK, ["x"], None, "its disagreement: expected numbers"),
        (CHUNK, None, [[0.5]], r"its risk: expected shape \(1,\), found \(1, 1\)"),
    ],
)
def test_what_is_no_answer_is_refused_and_the_thread_goes_on(
    inbox, actions, disagreement, risk, problem
):
    client = Counting()
    client.infer = lambda windows, prefixes: actions
    client.disagreement = lambda windows, actions: disagreement
    client.risk = lambda windows, actions: risk
    box = inbox(client)
    for _ in range(2):
        box.worker.submit(request())
        (result,) = box.next()
        assert result.refused and result.actions is None
        assert re.match(problem, result.problem)


def test_numbers_of_another_kind_are_an_answer(inbox):
    client = Counting()
    client.infer = lambda windows, prefixes: [[[1]] * 16]
    client.disagreement = lambda windows, actions: np.full(1, 0.5, np.float32)
    box = inbox(client)
    box.worker.submit(request())
    (result,) = box.next()
    assert result.actions.dtype == np.float64 and result.actions.shape == (16, 1)
    assert (result.disagreement, result.risk, result.problem) == (0.5, None, "")
