"""Inference in lockstep: computed within the loop's own steps, after a given number of them."""

from __future__ import annotations

from dataclasses import replace

from robot_learning.core.clocks import Clock
from robot_learning.serving.inference_worker import (
    InferenceRequest,
    InferenceResult,
    answer_requests,
)
from robot_learning.serving.policy_client import PolicyClient


class SteppedInference:
    """Answers each request `delay_ns` of the clock's time after it was made.

    How long the computation really takes changes nothing: the answers, and when they come, are
    the same on every machine. Requests that several arms make in one step form one batch.
    """

    def __init__(self, client: PolicyClient, clock: Clock, delay_ns: int) -> None:
        self._client = client
        self._clock = clock
        self._delay_ns = delay_ns
        self._waiting: dict[int, tuple[int, InferenceRequest]] = {}

    def submit(self, request: InferenceRequest) -> None:
        """Ask for a chunk; an older request of the same arm that still waits is replaced."""
        self._waiting[request.arm] = (self._clock.now_ns() + self._delay_ns, request)

    def take_results(self) -> list[InferenceResult]:
        """The answers that are due by now."""
        now_ns = self._clock.now_ns()
        due = {arm: one for arm, one in self._waiting.items() if one[0] <= now_ns}
        if not due:
            return []
        for arm in due:
            del self._waiting[arm]
        requests = [request for _, (_, request) in sorted(due.items())]
        started_ns = now_ns - self._delay_ns
        results = answer_requests(self._client, requests, self._clock.now_ns)
        return [replace(result, started_ns=started_ns) for result in results]

    def swap(self, client: PolicyClient, priority: int | None = None) -> None:
        """Compute with another client from the next inference on, and close the old one."""
        before, self._client = self._client, client
        before.close()

    def close(self, timeout_s: float = 1.0) -> bool:
        """Forget the requests that wait."""
        self._waiting.clear()
        return True
