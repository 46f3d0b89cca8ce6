"""Who drives in each step, and which labels that gives: one driver a way of collecting.

All work in lockstep over N environments. `ask(mask)` puts the question to the experts of the
environments in `mask` (N,) and returns (N, n), NaN where nobody was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot_learning.core.types import BoolArray, FloatArray
from robot_learning.learning.imitation.config import GateConfig
from robot_learning.learning.imitation.inference import Actor
from robot_learning.learning.imitation.spaces import ActionLayout, Float32Array
from robot_learning.policies.gate import Thresholds

Ask = Callable[[BoolArray], Float32Array]
Doubt = Callable[[Float32Array, Float32Array], FloatArray]
"""(N, D) observations and (N, n) actions to (N,) doubts or risks."""
NOISE_STREAM, MIXTURE_STREAM = 1, 2


@dataclass(frozen=True)
class Step:
    """What is done in one step.

    Attributes:
        action: (N, n) to execute.
        label: (N, n) of the expert, NaN where it was not asked.
        labelled: (N,) which labels count.
        expert_drove: (N,).
        doubt: (N,) or None.
        asked: (N, 2) where a policy asked for help with this step, because of novelty or risk
            (`policies.gate.REASONS`); None where it does not.
    """

    action: Float32Array
    label: Float32Array
    labelled: BoolArray
    expert_drove: BoolArray
    doubt: FloatArray | None = None
    asked: BoolArray | None = None


class Driver(Protocol):
    """A way of collecting."""

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin the episodes of these numbers, one in each environment."""

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Decide what is done at (N, D) observations; only `active` environments count."""


class ExpertDriver:
    """The expert drives, with Gaussian noise on what is executed; its clean action is the label."""

    def __init__(self, actions: ActionLayout, covariance: FloatArray | None, seed: int) -> None:
        """Drive with noise of `covariance` (n, n), in the action's units; None for none."""
        self._actions, self._seed = actions, seed
        self._factor: FloatArray | None = None
        if covariance is not None and np.any(covariance):
            values, vectors = np.linalg.eigh(covariance)
            self._factor = np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T)

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes; their noise follows from their numbers."""
        self._generators = [np.random.default_rng((self._seed, NOISE_STREAM, n)) for n in numbers]

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Ask everybody."""
        label = ask(active)
        action = label
        if self._factor is not None:
            draws = np.array([g.standard_normal(label.shape[1]) for g in self._generators])
            action = self._actions.clipped(label + draws @ self._factor)
        return Step(action, label, active, active)


class MixtureDriver:
    """DAgger's mixture: the expert acts with probability beta, and labels every state."""

    def __init__(self, actor: Actor, beta: float, per: str, seed: int) -> None:
        """Mix in each `step`, or for each whole `episode`. beta 0 is the policy alone."""
        self._actor, self._beta, self._per, self._seed = actor, beta, per, seed

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes; what is drawn follows from their numbers."""
        self._actor.begin(len(numbers))
        self._generators = [np.random.default_rng((self._seed, MIXTURE_STREAM, n)) for n in numbers]
        self._drove = self._drawn()
        self._before = np.zeros(len(numbers), np.bool_)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Ask everybody; execute the expert's or the policy's action."""
        if self._per == "step" and self._beta > 0:
            self._drove = self._drawn()
        label = ask(active)
        action = self._actor.act(observations, self._before)
        self._before = self._drove
        drove = self._drove & active
        if self._beta > 0:
            action = np.where(drove[:, None], label, action)
        return Step(action, label, active, drove)

    def _drawn(self) -> BoolArray:
        if self._beta <= 0:
            return np.zeros(len(self._generators), np.bool_)
        return np.array([g.random() < self._beta for g in self._generators])


class PolicyDriver:
    """The policy drives alone, for evaluation; the expert is asked only to measure."""

    def __init__(self, actor: Actor, ask: bool) -> None:
        """Drive; with `ask` every visited state gets the expert's action."""
        self._actor, self._ask = actor, ask

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes."""
        self._actor.begin(len(numbers))
        self._nobody = np.zeros(len(numbers), np.bool_)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Act."""
        action = self._actor.act(observations, self._nobody)
        label = ask(active if self._ask else self._nobody)
        return Step(action, label, self._nobody, self._nobody)


class HumanGatedDriver:
    """HG-DAgger with a simulated human, who watches and takes over where the policy deviates.

    Where |policy - expert| was above `takeover_deviation` for more than `reaction_steps` steps
    in a row the human drives from then on, until it was below `hand_back_deviation` for
    `hold_steps` steps. Only the human's rows are labels.
    """

    def __init__(
        self, actor: Actor, actions: ActionLayout, gate: GateConfig, doubt: Doubt | None
    ) -> None:
        """Gate `actor`; `doubt` is recorded, and decides nothing."""
        self._actor, self._actions, self._gate, self._doubt = actor, actions, gate, doubt

    def begin(self, numbers: Sequence[int]) -> None:
        """The policy drives first."""
        self._actor.begin(len(numbers))
        self._human = np.zeros(len(numbers), np.bool_)
        self._wary = np.zeros(len(numbers), np.int64)
        self._calm = np.zeros(len(numbers), np.int64)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Watch, and decide who drives this step."""
        gate = self._gate
        policy = self._actor.act(observations, self._human)
        label = ask(active)
        deviation = self._actions.deviation(policy, label)
        self._wary = np.where(deviation > gate.takeover_deviation, self._wary + 1, 0)
        self._calm = np.where(deviation < gate.hand_back_deviation, self._calm + 1, 0)
        takes_over = ~self._human & (self._wary > gate.reaction_steps)
        hands_back = self._human & (self._calm >= gate.hold_steps)
        self._human = (self._human | takes_over) & ~hands_back
        self._calm = np.where(takes_over, 0, self._calm)
        drove = self._human & active
        action = np.where(drove[:, None], label, policy)
        doubt = None if self._doubt is None else self._doubt(observations, policy)
        return Step(action, label, drove, drove, doubt)


class RobotGatedDriver:
    """The policy asks for help where its ensemble disagrees, or (ThriftyDAgger) risk is high.

    The expert is asked only while it drives: nobody watches. The policy goes on after
    `hold_steps` steps in a row in which nothing alarms it, it agrees with the expert, and its
    risk is below the median.

    Attributes:
        knows_risk: whether it asks because of risk, too.
    """

    def __init__(
        self,
        actor: Actor,
        actions: ActionLayout,
        thresholds: Thresholds,
        *,
        doubt: Doubt,
        risk: Doubt | None,
        hold_steps: int,
    ) -> None:
        """Gate `actor`."""
        self._actor, self._actions, self._thresholds = actor, actions, thresholds
        self._doubt, self._risk, self._hold_steps = doubt, risk, hold_steps
        self.knows_risk = risk is not None

    def begin(self, numbers: Sequence[int]) -> None:
        """The policy drives first."""
        self._actor.begin(len(numbers))
        self._human = np.zeros(len(numbers), np.bool_)
        self._calm = np.zeros(len(numbers), np.int64)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Judge this step; whether the policy goes on alone is decided after it."""
        limits = self._thresholds
        policy = self._actor.act(observations, self._human)
        doubt = self._doubt(observations, policy)
        risk = np.zeros(len(doubt)) if self._risk is None else self._risk(observations, policy)
        novel, risky = doubt > limits.doubt, risk > limits.risk
        alarm = novel | risky
        asked = np.stack([novel, risky & ~novel], axis=1) & (active & ~self._human)[:, None]
        self._human |= alarm
        drove = self._human & active
        label = ask(drove)
        action = np.where(drove[:, None], label, policy)
        # Where nobody was asked the label is NaN, and no comparison holds.
        agrees = self._actions.error(policy, label) <= limits.discrepancy
        agrees &= ~alarm & (risk <= limits.calm_risk)
        self._calm = np.where(agrees & drove, self._calm + 1, 0)
        self._human = drove & (self._calm < self._hold_steps)
        return Step(action, label, drove, drove, doubt, asked)
