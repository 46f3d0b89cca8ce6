"""Inference in lockstep: when an answer comes is a matter of simulated time alone."""

import numpy as np
import pytest
from steering_policy import steering_spec

from robot_learning.core.clocks import ManualClock
from robot_learning.serving.inference_worker import InferenceRequest
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient
from robot_learning.serving.stepped_inference import SteppedInference

MS = 1_000_000
DELAY_NS = 20 * MS


class Counting(PolicyClient):
    """Answers with its tag, and keeps the stamps of each batch."""

    def __init__(self, clock, tag=0.0):
        self.spec = steering_spec(["pan"])
        self.clock, self.tag, self.batches, self.closed = clock, tag, [], False
        self.error = None

    def infer(self, windows, prefixes):
        assert not self.closed
        self.batches.append((self.clock.now_ns(), [window.stamp_ns for window in windows]))
        if self.error is not None:
            raise self.error
        return np.full((len(windows), 16, 1), self.tag)

    def close(self):
        self.closed = True


@pytest.fixture
def clock():
    return ManualClock(100 * MS)


@pytest.fixture
def client(clock):
    return Counting(clock, tag=3.0)


@pytest.fixture
def inference(client, clock):
    return SteppedInference(client, clock, DELAY_NS)


def request(stamp_ns=1, arm=0):
    return InferenceRequest(arm, 0, Window(stamp_ns, {}), None, 0)


def test_an_answer_comes_after_the_stated_time_and_not_before(inference, client, clock):
    asked = request()
    inference.submit(asked)
    for _ in range(20):
        assert inference.take_results() == []
        clock.advance_ns(MS)
    (result,) = inference.take_results()
    assert result.request is asked
    assert result.actions[0, 0] == 3.0
    # By the clock it took just as long, whatever the machine needed for it.
    assert (result.started_ns, result.finished_ns) == (100 * MS, 120 * MS)
    assert result.inference_s == pytest.approx(0.02)
    assert inference.take_results() == [], "once"
    assert len(client.batches) == 1


def test_arms_that_asked_in_one_step_are_one_batch_in_their_order(inference, client, clock):
    for arm, stamp in ((2, 7), (0, 5)):
        inference.submit(request(stamp, arm))
    clock.advance_ns(10 * MS)
    inference.submit(request(6, 1))
    clock.advance_ns(10 * MS)
    assert [result.request.arm for result in inference.take_results()] == [0, 2]
    clock.advance_ns(10 * MS)
    assert [result.request.arm for result in inference.take_results()] == [1]
    assert client.batches == [(120 * MS, [5, 7]), (130 * MS, [6])]


def test_a_newer_request_of_an_arm_takes_the_place_of_the_one_that_waits(inference, client, clock):
    inference.submit(request(1))
    clock.advance_ns(15 * MS)
    inference.submit(request(2))
    clock.advance_ns(15 * MS)
    assert inference.take_results() == [], "its time begins with itself"
    clock.advance_ns(5 * MS)
    assert [result.request.window.stamp_ns for result in inference.take_results()] == [2]
    assert client.batches == [(135 * MS, [2])]


def test_an_exception_is_an_answer_and_the_next_is_computed(inference, client, clock):
    client.error = RuntimeError("out of\nmemory")
    inference.submit(request(1))
    clock.advance_ns(DELAY_NS)
    (result,) = inference.take_results()
    assert result.actions is None
    assert result.problem == "RuntimeError: out of memory"
    client.error = None
    inference.submit(request(2))
    clock.advance_ns(DELAY_NS)
    assert inference.take_results()[0].actions is not None


def test_after_a_swap_the_other_client_answers_what_waits(inference, client, clock):
    other = Counting(clock, tag=4.0)
    inference.submit(request())
    inference.swap(other)
    assert client.closed
    clock.advance_ns(DELAY_NS)
    assert inference.take_results()[0].actions[0, 0] == 4.0


def test_what_waits_when_it_is_closed_is_never_computed(inference, client, clock):
    inference.submit(request())
    assert inference.close()
    clock.advance_ns(DELAY_NS)
    assert inference.take_results() == []
    assert client.batches == []
