"""An operator for machines: a task expert behind the device interface, with human faults.

It intervenes when the policy's action departs from the expert's, reacts late, moves with a
limited speed and a trembling hand, and hands back when the two agree again. Everything is drawn
from one seed and depends on nothing but the sequence of polls, so a run can be repeated exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_learning.core.clocks import NS_PER_S, seconds_to_ns
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.operator import OperatorOptions
from robot_learning.core.profile import RobotProfile
from robot_learning.core.types import FloatArray, Observation
from robot_learning.teleop.device import (
    ALIVE,
    RELEASING_EVENTS,
    JointTarget,
    OperatorEvent,
    TeleopContext,
    TeleopDevice,
    TeleopInput,
)

Expert = Callable[[Mapping[str, Any], Mapping[str, Any] | None], FloatArray]
"""(observation, info) -> action (n,), the label an expert would give."""
PAUSE_S = 0.3
"""After a longer pause between two polls the hand starts from where the robot is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTraits(OperatorOptions):
    """How the operator behaves.

    Attributes:
        seed: seed of the tremor.
        tremor_hz: band of the tremor, low and high, Hz; a hand's lies at 3 to 8 Hz.
    """

    seed: int = 0
    tremor_hz: tuple[float, float] = (3.0, 8.0)

    def __post_init__(self) -> None:
        low, high = self.tremor_hz
        checks = {
            "reaction_s, tremor_rad, min_engaged_s, min_asked_s and patience_s must not be "
            "negative": min(
                *(self.reaction_s, self.tremor_rad, self.patience_s),
                *(self.min_engaged_s, self.min_asked_s),
            )
            >= 0.0,
            "speed_fraction must lie in (0, 1]": 0.0 < self.speed_fraction <= 1.0,
            "tremor_hz must be a rising band above 0": 0.0 < low < high,
            "release_below must lie below engage_above": 0.0
            <= self.release_below
            < self.engage_above,
        }
        for text, holds in checks.items():
            if not holds:
                raise ConfigurationError(f"scripted operator: {text}; found {self}")


class HandTremor:
    """Band-limited noise (n,): a sum of sines with seeded frequencies, phases and weights."""

    _SINES = 8

    def __init__(self, scale: FloatArray, band_hz: tuple[float, float], seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = (self._SINES, len(scale))
        self._angular = 2.0 * np.pi * rng.uniform(*band_hz, shape)
        self._phase = rng.uniform(0.0, 2.0 * np.pi, shape)
        # Sines of equal weight: variance 1/2 each.
        self._weight = scale * np.sqrt(2.0 / self._SINES)

    def at(self, time_s: float) -> FloatArray:
        """The tremor at a time."""
        value: FloatArray = self._weight * np.sin(self._angular * time_s + self._phase).sum(axis=0)
        return value


class ScriptedOperator(TeleopDevice):
    """Drives the robot as a task expert would, with an operator's traits.

    Args:
        profile: the robot.
        expert: the expert's action for an observation.
        describe_observation: makes the expert's observation mapping.
        traits: how the operator behaves.
    """

    def __init__(
        self,
        profile: RobotProfile,
        expert: Expert,
        describe_observation: Callable[[Observation], Mapping[str, Any]],
        traits: OperatorTraits | None = None,
    ) -> None:
        self._profile = profile
        self._expert = expert
        self._describe_observation = describe_observation
        self._traits = traits or OperatorTraits()
        self._range = profile.position_range
        self.open()

    def open(self) -> None:
        """Start over: the same polls give the same inputs again."""
        traits = self._traits
        scale = np.full(len(self._profile.joints), traits.tremor_rad)
        for arm in self._profile.arms:
            if arm.gripper:
                scale[self._profile.joint_index(arm.gripper.joint)] = 0.0
        self._tremor = HandTremor(scale, traits.tremor_hz, traits.seed)
        self._seen: deque[tuple[int, FloatArray, float]] = deque()
        self._hand: FloatArray | None = None
        self._first_ns: int | None = None
        self._last_ns = 0
        self._engaged = False
        self._released = False
        self._asked = False
        self._engaged_until_ns = 0
        self._apart_ns: int | None = None

    def close(self) -> None:
        """Let go."""
        self._engaged = False

    def handle(self, event: OperatorEvent) -> None:
        """`take_over` steps in now, a releasing event lets go and stays away.

        With `start`, the beginning of an episode, they are there again and watch.
        """
        if event in RELEASING_EVENTS:
            self._engaged, self._released, self._hand = False, True, None
        elif event is OperatorEvent.TAKE_OVER:
            self._released, self._asked = False, True
        elif event is OperatorEvent.START:
            self._released, self._apart_ns = False, None
            self._seen.clear()

    def poll(self, now_ns: int, context: TeleopContext) -> TeleopInput:
        """What the operator does about what it saw a reaction time ago."""
        if context.observation is None:
            self._engaged, self._hand = False, None
            return TeleopInput(now_ns, False, health=context.lost_robot)
        if self._first_ns is None:
            self._first_ns = now_ns
        dt_s, self._last_ns = max(0, now_ns - self._last_ns) / NS_PER_S, now_ns
        if dt_s > PAUSE_S:
            self._hand = None
        if self._asked and not self._engaged:
            self._step_in(now_ns, self._traits.min_asked_s)
        self._asked = False
        action, deviation = self._perceive(now_ns, context)
        events = self._decide(now_ns, deviation)
        if not self._engaged or action is None:
            self._hand = None
            return TeleopInput(now_ns, False, events=events, health=ALIVE)
        if self._hand is None:
            held = context.applied
            self._hand = (context.observation.joint_position if held is None else held).copy()
            dt_s = 0.0
        furthest = self._traits.speed_fraction * self._profile.velocity_max * dt_s
        self._hand = self._hand + np.clip(action - self._hand, -furthest, furthest)
        trembling = self._hand + self._tremor.at((now_ns - self._first_ns) / NS_PER_S)
        motion = JointTarget(
            np.clip(trembling, self._profile.position_min, self._profile.position_max)
        )
        return TeleopInput(now_ns, True, (motion,), events=events, health=ALIVE)

    def describe(self) -> str:
        """The traits."""
        traits = self._traits
        steps_in = (
            f"takes over above {traits.engage_above:g} of the joints' range from the expert, hands "
            f"back below {traits.release_below:g}"
        )
        return (
            f"Scripted operator: reacts after {traits.reaction_s:g} s, moves at "
            f"{traits.speed_fraction:.0%} of the speed limits, "
            f"{steps_in if traits.intervenes else 'drives all the time'}"
        )

    def _perceive(
        self, now_ns: int, context: TeleopContext
    ) -> tuple[FloatArray | None, float | None]:
        """The expert's action and the policy's deviation of a reaction time ago; None before."""
        assert context.observation is not None  # noqa: S101 (checked by poll)
        action = np.asarray(
            self._expert(self._describe_observation(context.observation), None), dtype=np.float64
        )
        deviation = float("inf")
        if context.policy is not None:
            deviation = float(np.max(np.abs(context.policy - action) / self._range))
        if not np.isfinite(action).all():
            raise ConfigurationError("the expert of the scripted operator gave a non-finite action")
        self._seen.append((now_ns, action, deviation))
        due_ns = now_ns - seconds_to_ns(self._traits.reaction_s)
        while len(self._seen) > 1 and self._seen[1][0] <= due_ns:
            self._seen.popleft()
        seen_ns, action, deviation = self._seen[0]
        return (action, deviation) if seen_ns <= due_ns else (None, None)

    def _decide(self, now_ns: int, deviation: float | None) -> tuple[OperatorEvent, ...]:
        """Hysteresis in level and in time around the deviation."""
        traits = self._traits
        if deviation is None or self._released:
            return ()
        if self._engaged:
            long_enough = now_ns >= self._engaged_until_ns
            if traits.intervenes and long_enough and deviation < traits.release_below:
                self._engaged, self._apart_ns = False, None
                return (OperatorEvent.HAND_BACK,)
            return ()
        if deviation <= traits.engage_above:
            self._apart_ns = None
        elif self._apart_ns is None:
            self._apart_ns = now_ns
        apart_ns = -1 if self._apart_ns is None else now_ns - self._apart_ns
        if traits.intervenes and apart_ns < seconds_to_ns(traits.patience_s):
            return ()
        return self._step_in(now_ns, traits.min_engaged_s)

    def _step_in(self, now_ns: int, least_s: float) -> tuple[OperatorEvent, ...]:
        self._engaged, self._hand = True, None
        self._engaged_until_ns = now_ns + seconds_to_ns(least_s)
        return (OperatorEvent.TAKE_OVER,)
