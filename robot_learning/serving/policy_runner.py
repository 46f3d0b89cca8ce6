"""One arm's policy at work: observations in, requests to the policy, planned actions out.

Nothing here waits, reads a clock or knows ROS: the caller passes both times in (the ROS clock
for what stamps mean, the steady clock for how long something lasts), hands requests to an
inference, and brings the results back. The same object serves live and in lockstep simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from robot_learning.core.clocks import NS_PER_S, Instant, is_future, seconds_to_ns
from robot_learning.core.types import FloatArray
from robot_learning.policies.gate import NEVER, RISK, Thresholds
from robot_learning.policies.spec import PolicySpec
from robot_learning.serving.action_chunk import ActionChunk
from robot_learning.serving.chunk_planner import ChunkPlanner, PlannerSettings, Verdict
from robot_learning.serving.inference_worker import InferenceRequest, InferenceResult
from robot_learning.serving.latency import Latency
from robot_learning.serving.observation_history import Gap, ObservationHistory


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """How a runner behaves, in seconds.

    Attributes:
        planner: how chunks are executed.
        max_age_s: age of a stream's newest sample beyond which no window is made, by key.
        expected_delay_s: time from observation to chunk to plan with before any was measured.
        silence_s: how long nothing is sent after an output was refused. Longer than the
            arbiter's timeout, so that it holds instead of continuing an older chunk.
        overdue_s: age of an unanswered request beyond which the policy counts as stuck.
        limits: thresholds of disagreement and risk above which a policy that drives asks for help
            instead of acting; never by default.
    """

    planner: PlannerSettings
    max_age_s: Mapping[str, float]
    expected_delay_s: float = 0.0
    silence_s: float = 0.5
    overdue_s: float = 2.0
    limits: Thresholds = NEVER


@dataclass
class RunnerCounts:
    """What happened since the start.

    Attributes:
        chunks: number of outputs that became part of the plan.
        refused: number of outputs with NaN, infinity, another shape, or no numbers at all.
        failed: number of inferences that ended with an exception.
        asked: number of times the policy asked for help.
        late: number of outputs whose steps were all past when they arrived.
        superseded: number of outputs older than the plan, or from before a reset.
        from_future: number of complete observations stamped in the future, which are ignored.
        starved_ticks: number of ticks for which the plan had no step left.
        skipped_steps: number of steps of taken chunks that were past when they arrived.
        last_problem: text of the newest problem; empty before the first.
    """

    chunks: int = 0
    refused: int = 0
    failed: int = 0
    asked: int = 0
    late: int = 0
    superseded: int = 0
    from_future: int = 0
    starved_ticks: int = 0
    skipped_steps: int = 0
    last_problem: str = ""

    @property
    def problems(self) -> int:
        """Answers after which the policy fell silent."""
        return self.refused + self.failed + self.asked


@dataclass
class RunnerTimes:
    """Durations: within the policy, around it, and from an observation's stamp to its chunk."""

    inference: Latency = field(default_factory=Latency)
    overhead: Latency = field(default_factory=Latency)
    delay: Latency = field(default_factory=Latency)


class PolicyRunner:
    """The policy of one arm. One thread.

    Attributes:
        driving: whether the policy drives; set by the caller.
        asks: whether the policy asks for help. It then sends nothing while it drives, so that the
            arbiter holds; whoever answers the request resets this.
        disagreement, risk: disagreement about the newest chunk, and its risk; None where they are
            not known.
        reason: why the policy last asked for help, one of `policies.gate.REASONS`; empty before.
        gap: streams that are missing for a complete observation; None when none are.
    """

    def __init__(self, spec: PolicySpec, settings: RunnerSettings, arm: int = 0) -> None:
        self.arm = arm
        self.epoch = 0
        self.driving = False
        self.asks = False
        self.disagreement: float | None = None
        self.risk: float | None = None
        self.reason = ""
        self.gap: Gap | None = None
        self.counts = RunnerCounts()
        self.times = RunnerTimes()
        self._pending: InferenceRequest | None = None
        self._silent_until_ns = 0
        self._observed_ns = 0
        self._begun = False
        self._last_ros_ns: int | None = None
        self.spec, self.settings = spec, settings
        self.history = ObservationHistory(
            spec.observations, spec.observation_steps, spec.rate_hz, settings.max_age_s
        )
        self.planner = ChunkPlanner(settings.planner)

    def adopt(
        self, spec: PolicySpec, settings: RunnerSettings, history: ObservationHistory
    ) -> None:
        """Continue with another policy, without a gap.

        The plan of the old policy is executed until the new one's first chunk arrives, which is
        requested with the next observation. The best moment is when no answer is awaited
        (`awaits`): one that comes later is dropped.

        Args:
            spec: spec of the new policy.
            settings: settings for the new policy.
            history: history for the new policy, already filled with observations.
        """
        self.spec, self.settings, self.history = spec, settings, history
        self.planner = ChunkPlanner(settings.planner, self.planner.plan)
        self._pending = self.gap = None
        self.epoch += 1
        self.times = RunnerTimes()

    @property
    def awaits(self) -> bool:
        """Whether a request is under way."""
        return self._pending is not None

    def observe(self, key: str, stamp_ns: int, value: npt.NDArray[Any], now: Instant) -> bool:
        """Take a sample of one stream; False when it is refused (see `ObservationHistory.push`).

        Args:
            key: key of the policy's observation.
            stamp_ns: stamp of the sample, in ROS time.
            value: one row, of the shape in the policy's spec; images are (height, width, 3) uint8.
            now: present time.
        """
        return self.history.push(key, stamp_ns, value, now.ros_ns)

    def reset(self, floor_ns: int | None = None) -> None:
        """Forget history, chunks and the request under way.

        Observations stamped before `floor_ns` are ignored from now on.
        """
        self.epoch += 1
        self.planner.clear()
        self.history.clear(floor_ns)
        self._pending = None

    def notice(self, now: Instant) -> None:
        """Reset when the ROS clock has stepped back, as earlier stamps mean nothing then."""
        if self._last_ros_ns is not None and now.ros_ns < self._last_ros_ns:
            self.reset()
        self._last_ros_ns = now.ros_ns

    def request(self, stamp_ns: int, now: Instant) -> InferenceRequest | None:
        """What to compute once the observation at `stamp_ns` is complete; None for nothing.

        Only one request is under way at a time.
        """
        self.notice(now)
        # After such a request the planner would make no other until time catches up with its stamp.
        if is_future(stamp_ns, now.ros_ns):
            self.counts.from_future += 1
            return None
        self._observed_ns = now.steady_ns
        if self.gap is not None:
            self.gap = self.history.gap(stamp_ns)
        if self._pending is not None:
            return None
        delay_ns = seconds_to_ns(self.times.delay.expected_s(self.settings.expected_delay_s))
        if not self.planner.is_due(stamp_ns, delay_ns, self.driving):
            return None
        window = self.history.window(stamp_ns)
        if isinstance(window, Gap):
            self.gap = window
            return None
        prefix = self.planner.prefix(stamp_ns, delay_ns) if self.driving else None
        self.planner.asked(stamp_ns)
        request = InferenceRequest(self.arm, self.epoch, window, prefix, now.steady_ns)
        self._pending = request
        return request

    def take(self, result: InferenceResult, now: Instant) -> bool:
        """Take an answer; returns whether it has changed the plan."""
        request, counts = result.request, self.counts
        if request is not self._pending:
            counts.superseded += 1
            return False
        self._pending = None
        self.times.inference.add(result.inference_s)
        self.times.delay.add(max(0.0, (now.ros_ns - request.window.stamp_ns) / NS_PER_S))
        actions = self._usable(result, now)
        if actions is None:
            return False
        self.disagreement, self.risk = result.disagreement, result.risk
        reason = self.settings.limits.reason(self.disagreement, self.risk)
        if self.driving and (self.asks or reason):
            self._ask(reason, now)
            return False
        stamp_ns = request.window.stamp_ns
        verdict = self.planner.accept(stamp_ns, actions, now.ros_ns, self.driving)
        if verdict is Verdict.LATE:
            counts.late += 1
        elif verdict is Verdict.SUPERSEDED:
            counts.superseded += 1
        else:
            counts.chunks += 1
            past = (now.ros_ns - stamp_ns) // self.settings.planner.period_ns
            counts.skipped_steps += max(0, int(past))
            self._begun = True
        return verdict is Verdict.TAKEN

    def output(self, now: Instant) -> ActionChunk | None:
        """The plan, to be sent now; None when there is none, or while nothing may be sent."""
        if now.steady_ns < self._silent_until_ns or (self.driving and self.asks):
            return None
        plan = self.planner.plan
        if plan is None or now.ros_ns - plan.end_ns > seconds_to_ns(self.settings.silence_s):
            return None
        return plan

    def tick(self, now: Instant) -> bool:
        """Call once per step of the policy's rate: counts and returns whether the tick starves.

        A tick starves when the plan's last step has been over for a whole period.
        """
        self._notice_silence(now)
        plan = self.planner.plan
        if not self._begun or not self.driving:
            return False
        starved = plan is None or now.ros_ns > plan.end_ns + plan.period_ns
        self.counts.starved_ticks += starved
        return starved

    def _notice_silence(self, now: Instant) -> None:
        """Find the gap here, as no request finds it while no observation is complete."""
        timeout_s = max(self.settings.max_age_s.values())
        if now.steady_ns - self._observed_ns > seconds_to_ns(timeout_s):
            self.gap = self.history.gap(now.ros_ns)

    def overdue_s(self, now: Instant) -> float:
        """Seconds that an overdue request has waited for its answer; 0 when none is overdue."""
        if self._pending is None:
            return 0.0
        waited_s = (now.steady_ns - self._pending.asked_ns) / NS_PER_S
        return waited_s if waited_s > self.settings.overdue_s else 0.0

    @property
    def is_below_handback_threshold(self) -> bool:
        """Whether disagreement and risk are low enough for the policy to continue alone."""
        return self.settings.limits.is_below_handback_threshold(self.disagreement, self.risk)

    def _ask(self, reason: str, now: Instant) -> None:
        if not self.asks:
            self.asks, self.reason = True, reason
            self.counts.asked += 1
            limits = self.settings.limits
            name, value, limit = (
                ("risk", self.risk, limits.risk)
                if reason == RISK
                else ("disagreement", self.disagreement, limits.disagreement)
            )
            self._fall_silent(f"it asks for help: {name} {value:.3g} above {limit:.3g}", now)

    def _usable(self, result: InferenceResult, now: Instant) -> FloatArray | None:
        """The answer's actions; None, counted and noted, where there are none to follow."""
        actions = result.actions
        if actions is None and not result.refused:
            self.counts.failed += 1
            self._fall_silent(f"the inference failed: {result.problem}", now)
            return None
        problem = result.problem if actions is None else self._problem(actions)
        if problem:
            self.counts.refused += 1
            self._fall_silent(f"the policy's output was refused: {problem}", now)
            return None
        return actions

    def _problem(self, actions: FloatArray) -> str:
        wanted = (self.spec.action_steps, self.spec.action_dim)
        if actions.shape != wanted:
            return f"expected {wanted[0]} x {wanted[1]} numbers, found shape {actions.shape}"
        finite = np.isfinite(actions)
        if finite.all():
            return ""
        step, column = np.argwhere(~finite)[0]
        names = self.spec.action_names
        name = names[column] if names else f"number {column}"
        return f"step {step} asks {actions[step, column]} of '{name}'"

    def _fall_silent(self, problem: str, now: Instant) -> None:
        self.counts.last_problem = problem
        self._silent_until_ns = now.steady_ns + seconds_to_ns(self.settings.silence_s)
        self.planner.clear()
