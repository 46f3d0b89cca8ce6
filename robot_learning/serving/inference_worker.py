"""A thread that computes chunks in parallel with the control loop, which never waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot_learning.core.pacing import give_up_precedence, take_precedence
from robot_learning.core.types import FloatArray
from robot_learning.serving.chunk_planner import ActionPrefix
from robot_learning.serving.observation_history import Window
from robot_learning.serving.policy_client import PolicyClient


@dataclass(frozen=True, slots=True, eq=False)
class InferenceRequest:
    """One arm's window, to be answered with a chunk.

    Attributes:
        arm: number of the runner that asks.
        epoch: number of resets of that runner so far; an answer from an earlier epoch is dropped.
        window: window of observations that the policy looks at.
        prefix: part of the plan that the chunk is to continue; None when it is free.
        asked_ns: steady time at which the observation was available.
    """

    arm: int
    epoch: int
    window: Window
    prefix: ActionPrefix | None
    asked_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class InferenceResult:
    """The answer to a request.

    Attributes:
        request: request that is answered.
        actions: (action_steps, n) joint positions, rad or m; None when the inference failed, or
            the policy returned something else.
        problem: why there are no actions; empty otherwise.
        started_ns: steady time at which the policy was called.
        finished_ns: steady time at which the policy returned.
        disagreement: disagreement of the ensemble about the actions; None without an ensemble.
        risk: probability that what the actions begin ends badly; None without a critic.
        refused: whether actions are missing because the policy returned something other than
            its spec promises.
    """

    request: InferenceRequest
    actions: FloatArray | None
    problem: str
    started_ns: int
    finished_ns: int
    disagreement: float | None = None
    risk: float | None = None
    refused: bool = False

    @property
    def inference_s(self) -> float:
        """Seconds spent within the policy itself."""
        return (self.finished_ns - self.started_ns) * 1e-9


class Inference(Protocol):
    """Answers requests with chunks, in parallel with the control loop or within its steps."""

    def submit(self, request: InferenceRequest) -> None:
        """Ask for a chunk; an older request of the same arm that still waits is replaced."""
        ...

    def take_results(self) -> list[InferenceResult]:
        """The answers since the last call, oldest first."""
        ...

    def swap(self, client: PolicyClient, priority: int | None = None) -> None:
        """Compute with another client from the next inference on, and close the old one."""
        ...

    def close(self, timeout_s: float = 1.0) -> bool:
        """Stop; False when an inference is still under way after `timeout_s`."""
        ...


class InferenceWorker:
    """Answers requests in a thread of its own, those of several arms in one batch.

    Only the newest request of each arm is kept. A client is exchanged between two inferences.
    """

    def __init__(
        self,
        client: PolicyClient,
        on_results: Callable[[], None] = lambda: None,
        *,
        arms: int = 1,
        gather_s: float = 0.0,
        priority: int | None = None,
    ) -> None:
        """Start the thread.

        Args:
            client: policy that computes the chunks.
            on_results: callback in the worker's thread after each inference, to wake the loop.
            arms: number of arms that send requests.
            gather_s: how long to wait for requests of the other arms after the first.
            priority: real-time priority of the thread, only for policies quick enough not to keep
                others from their core. None for an ordinary thread.
        """
        self._client = client
        self._computing: PolicyClient | None = None
        self._priority = priority
        self._taken_priority: int | None = None
        self._on_results = on_results
        self._arms, self._gather_s = arms, gather_s
        self._changed = threading.Condition()
        self._waiting: dict[int, InferenceRequest] = {}
        self._results: list[InferenceResult] = []
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def submit(self, request: InferenceRequest) -> None:
        """Ask for a chunk; an older request of the same arm that still waits is replaced."""
        with self._changed:
            self._waiting[request.arm] = request
            self._changed.notify_all()

    def take_results(self) -> list[InferenceResult]:
        """The answers since the last call, oldest first."""
        with self._changed:
            results, self._results = self._results, []
        return results

    def swap(self, client: PolicyClient, priority: int | None = None) -> None:
        """Compute with another client from the next inference on, and close the old one.

        It is closed once it is idle, in a thread of its own: neither the caller nor the next
        inference waits for connections or processes to end.
        """
        with self._changed:
            before, self._client = self._client, client
            self._priority = priority
        threading.Thread(target=self._retire, args=(before,), name="closing", daemon=True).start()

    def close(self, timeout_s: float = 1.0) -> bool:
        """Stop the thread; False when an inference is still under way after `timeout_s`."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        # Before the wait, since the priority is there to wake the thread in time.
        self._take_priority()
        while (batch := self._next_batch()) is not None:
            self._take_priority()
            client, requests = batch
            results = answer_requests(client, requests)
            with self._changed:
                self._results += results
                self._computing = None
                self._changed.notify_all()
            self._on_results()

    def _retire(self, client: PolicyClient) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._computing is not client)
        client.close()

    def _take_priority(self) -> None:
        if self._priority == self._taken_priority:
            return
        self._taken_priority = self._priority
        if self._priority is None or not take_precedence(self._priority):
            give_up_precedence()

    def _next_batch(self) -> tuple[PolicyClient, list[InferenceRequest]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._gather_s > 0.0:
                self._changed.wait_for(
                    lambda: len(self._waiting) >= self._arms or self._closing, self._gather_s
                )
            if self._closing:
                return None
            requests = [self._waiting[arm] for arm in sorted(self._waiting)]
            self._waiting = {}
            self._computing = self._client
            return self._client, requests


_Answer = tuple[FloatArray | None, float | None, float | None]
"""Actions, disagreement and risk for one request."""


class _RefusedError(Exception):
    """A policy returned something other than its spec promises."""


def answer_requests(
    client: PolicyClient,
    requests: list[InferenceRequest],
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> list[InferenceResult]:
    """Compute the chunks of one batch; whatever a policy does, this returns.

    Args:
        client: policy that computes the chunks.
        requests: requests of different arms, answered in one batch.
        now_ns: clock of the start and finish times, in nanoseconds.
    """
    started_ns = now_ns()
    answers: list[_Answer] = [(None, None, None)] * len(requests)
    problem, refused = "", False
    try:
        answers = _ask(client, requests)
    except _RefusedError as error:
        problem, refused = str(error), True
    except Exception as error:  # whatever a policy does, the loop beside it goes on
        problem = _line(error)
    finished_ns = now_ns()
    return [
        InferenceResult(
            request, actions, problem, started_ns, finished_ns, disagreement, risk, refused
        )
        for request, (actions, disagreement, risk) in zip(requests, answers, strict=True)
    ]


def _ask(client: PolicyClient, requests: list[InferenceRequest]) -> list[_Answer]:
    windows, spec = [request.window for request in requests], client.spec
    answer = client.infer(windows, [request.prefix for request in requests])
    actions = _numbers("actions", answer, (len(windows), spec.action_steps, spec.action_dim))
    disagreements = _one_each("disagreement", client.disagreement(windows, actions), len(windows))
    risks = _one_each("risk", client.risk(windows, actions), len(windows))
    return list(zip(actions, disagreements, risks, strict=True))


def _one_each(what: str, values: object, count: int) -> list[float] | list[None]:
    return [None] * count if values is None else _numbers(what, values, (count,)).tolist()


def _numbers(what: str, values: object, shape: tuple[int, ...]) -> FloatArray:
    try:
        numbers = np.asarray(values, np.float64)
    except Exception as error:  # a policy may return anything
        raise _RefusedError(f"its {what}: expected numbers: {_line(error)}") from error
    if numbers.shape != shape:
        raise _RefusedError(f"its {what}: expected shape {shape}, found {numbers.shape}")
    return numbers


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
