"""When the next chunk of actions is requested, and what is done with it when it arrives.

A chunk carries the stamp of its observation. When it arrives, some of its steps are already past;
since every step has its time, those are simply skipped. The kinds of execution differ in when the
next observation is taken, and in how overlapping chunks are combined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import get_args

import numpy as np

from robot_learning.core.amounts import amount
from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import ConfigurationError, unknown_choice
from robot_learning.core.types import FloatArray
from robot_learning.core.vocabulary import ExecutionName
from robot_learning.policies.ensembling import ensembling_weights
from robot_learning.policies.guidance import guidance_weights
from robot_learning.policies.spec import PolicySpec
from robot_learning.serving.action_chunk import ActionChunk

AUTO = "auto"
# Temporal ensembling averages at least this many next steps, and further ones as long as steps
# times chunks stay below the second number.
NEXT_STEPS, MOST_AVERAGED = 25, 2500
# The next chunk is to take over within this share of the age that an observation may reach; the
# rest is a margin for varying delays.
AGE_SHARE = 0.9


class Execution(Enum):
    """How chunks are executed.

    RECEDING_HORIZON: after `executed_steps` a new observation is taken and a new chunk requested;
        until it arrives, further steps of the old chunk are executed.
    ASYNCHRONOUS: a new chunk is requested early enough to arrive when `executed_steps` are done.
    TEMPORAL_ENSEMBLING: a new chunk with every step; overlapping ones are averaged with weights
        exp(-m i), i = 0 being the oldest (Zhao et al. 2023, algorithm 2).
    REAL_TIME_CHUNKING: asynchronous; the new chunk is generated so that it continues from where
        the old one is by then (Black et al. 2025). For diffusion and flow policies.
    """

    RECEDING_HORIZON = "receding_horizon"
    ASYNCHRONOUS = "asynchronous"
    TEMPORAL_ENSEMBLING = "temporal_ensembling"
    REAL_TIME_CHUNKING = "real_time_chunking"


EXECUTIONS = get_args(ExecutionName)


class Verdict(Enum):
    """What was done with a chunk that arrived."""

    TAKEN = "taken"
    LATE = "late"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """How one policy's chunks are executed.

    Attributes:
        execution: kind of execution, see `Execution`.
        period_ns: time between two steps of a chunk.
        chunk_steps: number of rows of the policy's output.
        first_step: index of the row that belongs to the current observation.
        executed_steps: number of steps that are executed before the next chunk takes over.
        max_age_ns: age of a chunk's observation beyond which the arbiter does not follow it.
        ensembling_decay: decay m of the ensembling weights exp(-m i), per chunk.
        is_paced: whether chunks are requested at the policy's own rate, no more often on average,
            as increments must be, which add up; otherwise up to half a period early.
    """

    execution: Execution
    period_ns: int
    chunk_steps: int
    first_step: int
    executed_steps: int
    max_age_ns: int
    ensembling_decay: float = 0.01
    is_paced: bool = False

    def steps_until_next(self, delay_ns: int) -> int:
        """`executed_steps`, or fewer where the observation would get too old for the arbiter.

        `delay_ns` is the time from an observation until its chunk arrives.
        """
        # Receding horizon waits out the delay after the last executed step, while the observation
        # goes on aging; the other kinds have the next chunk by then.
        wait_ns = delay_ns if self.execution is Execution.RECEDING_HORIZON else 0
        young_ns = int(AGE_SHARE * self.max_age_ns) - wait_ns
        return min(self.executed_steps, young_ns // self.period_ns)


def planner_settings(
    spec: PolicySpec,
    execution: str = AUTO,
    *,
    executed_steps: int | None = None,
    policy_max_age_s: float = 2.0,
    ensembling_decay: float = 0.01,
    takes_prefix: bool = False,
) -> PlannerSettings:
    """How the chunks of a policy are executed.

    Args:
        spec: spec of the policy.
        execution: one of `EXECUTIONS`; `auto` is asynchronous for chunks, else receding horizon.
        executed_steps: number of steps executed before the next chunk takes over; None takes the
            policy's own number.
        policy_max_age_s: age in seconds of a chunk's observation beyond which the arbiter does
            not follow it.
        ensembling_decay: decay m of the ensembling weights exp(-m i), per chunk.
        takes_prefix: whether the policy can continue from another chunk.

    Raises:
        ConfigurationError: an unknown execution, one that the policy cannot do, or more steps to
            execute than a chunk has.
    """
    if execution not in EXECUTIONS:
        raise ConfigurationError(unknown_choice("execution", execution, EXECUTIONS))
    future = spec.action_steps - spec.first_action_index
    if executed_steps is not None and executed_steps > future:
        text = (
            f"executed_steps {executed_steps}: the policy predicts {amount(future, 'step')} ahead"
        )
        raise ConfigurationError(text)
    if execution == AUTO:
        execution = "asynchronous" if future > 1 else "receding_horizon"
    chosen = Execution(execution)
    if chosen is Execution.REAL_TIME_CHUNKING and not takes_prefix:
        text = "real_time_chunking is for diffusion and flow policies; use asynchronous"
        raise ConfigurationError(f"execution: {text} or temporal_ensembling")
    return PlannerSettings(
        execution=chosen,
        period_ns=round(NS_PER_S / spec.rate_hz),
        chunk_steps=spec.action_steps,
        first_step=spec.first_action_index,
        executed_steps=executed_steps or spec.executed_steps,
        max_age_ns=seconds_to_ns(policy_max_age_s),
        ensembling_decay=ensembling_decay,
    )


@dataclass(frozen=True, slots=True, eq=False)
class ActionPrefix:
    """The part of the present plan that a new chunk is to continue.

    Attributes:
        actions: (chunk_steps, n) actions of the chunk being executed, at the times of the new
            chunk's rows; zeros where it has none.
        weights: (chunk_steps,) how strongly each row binds, in [0, 1]: 1 where the old chunk will
            have been executed before the new one arrives, falling to 0 where the old one ends.
    """

    actions: FloatArray
    weights: FloatArray


class ChunkPlanner:
    """The actions planned at present, and when the next ones are needed. One thread.

    Args:
        settings: how chunks are executed.
        borrowed: plan of another policy, executed until the first chunk arrives; None for none.
    """

    def __init__(self, settings: PlannerSettings, borrowed: ActionChunk | None = None) -> None:
        self.settings = settings
        self.plan = self._borrowed = borrowed
        self._chunks: list[ActionChunk] = []
        self._asked_ns: int | None = None
        self._next_ns: int | None = None

    def clear(self) -> None:
        """Forget every chunk."""
        self.plan = None
        self._chunks = []
        self._asked_ns = self._next_ns = None

    def is_due(self, stamp_ns: int, delay_ns: int, driving: bool) -> bool:
        """Whether to request a chunk from the observation at `stamp_ns`.

        A borrowed plan is replaced as soon as possible, as it may end before this policy's number
        of executed steps.

        Args:
            stamp_ns: stamp of the newest observation.
            delay_ns: expected time from an observation until its chunk arrives.
            driving: whether the policy drives. Otherwise a chunk is requested with every step, so
                that what the policy would do responds to what the arm does.
        """
        settings, plan = self.settings, self.plan
        if settings.is_paced and self._next_ns is not None:
            return stamp_ns >= self._next_ns - settings.period_ns // 10
        # Half a period early, since observations may arrive at any phase of the policy's steps.
        early_ns = settings.period_ns // 2
        if self._asked_ns is not None and stamp_ns < self._asked_ns + settings.period_ns - early_ns:
            return False
        if plan is self._borrowed or plan is None or not driving:
            return True
        if settings.execution is Execution.TEMPORAL_ENSEMBLING:
            return True
        # The time at which the next chunk takes over. Receding horizon takes the observation
        # then; the others take it one delay earlier, so that the chunk arrives by then.
        needed_ns = plan.step_ns(settings.steps_until_next(delay_ns)) - early_ns
        if settings.execution is Execution.RECEDING_HORIZON:
            return stamp_ns >= needed_ns
        return stamp_ns + delay_ns >= needed_ns

    def asked(self, stamp_ns: int) -> None:
        """Note that a chunk was requested from the observation at `stamp_ns`."""
        self._asked_ns = stamp_ns
        between_ns = self.settings.executed_steps * self.settings.period_ns
        if self._next_ns is None or stamp_ns > self._next_ns + between_ns:
            self._next_ns = stamp_ns
        self._next_ns += between_ns

    def prefix(self, stamp_ns: int, delay_ns: int) -> ActionPrefix | None:
        """What a chunk from `stamp_ns` is to continue; None when it is free.

        The weights are those of Black et al. 2025, equation 5: 1 for the steps that will be
        executed before the new chunk arrives, falling to 0 where the old one ends.
        """
        settings, plan = self.settings, self.plan
        if settings.execution is not Execution.REAL_TIME_CHUNKING or plan is None:
            return None
        # The old plan resampled at the times of the new chunk's rows, relative to the observation.
        steps = np.arange(settings.chunk_steps) - settings.first_step
        rows = plan.at([stamp_ns + int(step) * settings.period_ns for step in steps])
        there = np.asarray(np.isfinite(rows).all(axis=1))
        overlap = int(steps[there].max(initial=-1)) + 1
        if overlap < 1:
            return None
        # In steps: the delay rounded up, as a step that has begun is executed by the old chunk.
        delay = min(math.ceil(delay_ns / settings.period_ns), overlap)
        first = settings.first_step
        mask = guidance_weights(settings.chunk_steps, first + delay, first + overlap).numpy()
        weights = np.where(there, mask, 0.0)
        return ActionPrefix(np.where(there[:, None], rows, 0.0), weights)

    def accept(
        self, stamp_ns: int, actions: FloatArray, now_ns: int, driving: bool = True
    ) -> Verdict:
        """Take an output of the policy into the plan.

        A chunk whose steps are all past, or whose observation is older than that of the present
        plan, is dropped.

        Args:
            stamp_ns: stamp of the observation that the output answers.
            actions: (chunk_steps, n) joint positions, rad or m.
            now_ns: present time, on the clock of the stamps.
            driving: whether the policy drives; only then are chunks averaged.
        """
        settings = self.settings
        chunk = ActionChunk(stamp_ns, settings.period_ns, actions[settings.first_step :])
        if self.plan is not None and stamp_ns < self.plan.stamp_ns:
            return Verdict.SUPERSEDED
        if now_ns >= chunk.end_ns:
            return Verdict.LATE
        if settings.execution is Execution.TEMPORAL_ENSEMBLING and driving:
            chunk = self._ensembled(chunk)
        else:
            self._chunks = []
        self.plan = chunk
        return Verdict.TAKEN

    def _ensembled(self, newest: ActionChunk) -> ActionChunk:
        """The newest chunk's rows, each averaged over all chunks that cover its time.

        As this is done with every step, a policy that is quick enough to have many chunks has only
        its next steps averaged; the further ones are executed only if it stops answering.
        """
        self._chunks = [one for one in self._chunks if one.last_ns >= newest.stamp_ns] + [newest]
        all_actions = np.stack([chunk.actions for chunk in self._chunks])
        count, steps = all_actions.shape[:2]
        averaged = min(steps, max(NEXT_STEPS, MOST_AVERAGED // count))
        # places (count, averaged): where the time of each row of the newest chunk lies in every
        # chunk, as a fractional row number; rows are interpolated linearly between low and low + 1.
        behind_ns = newest.stamp_ns - np.array([chunk.stamp_ns for chunk in self._chunks])
        places = behind_ns[:, None] / newest.period_ns + np.arange(averaged)
        low = np.minimum(places.astype(int), steps - 1)
        share = (places - low)[..., None]
        chunk_numbers = np.arange(count)[:, None]
        rows = all_actions[chunk_numbers, low]
        if share.any():
            rows += share * (all_actions[chunk_numbers, np.minimum(low + 1, steps - 1)] - rows)
        weights = ensembling_weights(count, self.settings.ensembling_decay)[:, None]
        # A chunk that ends before a time has no say in it; the others share its weight.
        weights = weights * (places <= steps - 1)
        actions = newest.actions.copy()
        actions[:averaged] = np.einsum("cs,csn->sn", weights / weights.sum(0), rows)
        return ActionChunk(newest.stamp_ns, newest.period_ns, actions)
