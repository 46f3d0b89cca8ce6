"""Who drives in each step, and which labels that gives: one driver for each way of collecting.

All work in lockstep over N environments. `ask(mask)` asks the experts of the environments in `mask`
(N,) and returns their actions (N, n), NaN where nobody was asked.
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
StepMeasure = Callable[[Float32Array, Float32Array], FloatArray]
"""From (N, D) observations and (N, n) actions to (N,) disagreements or risks."""
NOISE_STREAM, MIXTURE_STREAM = 1, 2


@dataclass(frozen=True)
class Step:
    """What is done in one step.

    Attributes:
        action: (N, n) actions to execute.
        label: (N, n) actions of the expert, NaN where it was not asked.
        labelled: (N,) whether the label counts.
        expert_drove: (N,) whether the expert drives in this step.
        disagreement: (N,) disagreement of the ensemble; None without one.
        asked: (N, 2) whether a policy asked for help in this step, because of novelty or risk
            (`policies.gate.REASONS`); None where the driver never asks.
    """

    action: Float32Array
    label: Float32Array
    labelled: BoolArray
    expert_drove: BoolArray
    disagreement: FloatArray | None = None
    asked: BoolArray | None = None


class Driver(Protocol):
    """A way of collecting."""

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin the episodes of these numbers, one in each environment."""

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Decide what is done in one step.

        Args:
            observations: (N, D) present observations.
            active: (N,) whether an environment's episode is still running; the others are ignored.
            ask: asks the experts of some environments, see the module.
        """


class ExpertDriver:
    """The expert drives, with Gaussian noise on what is executed; its clean action is the label."""

    def __init__(self, actions: ActionLayout, covariance: FloatArray | None, seed: int) -> None:
        """Drive with noise.

        Args:
            actions: layout of the action space, to whose bounds actions are clipped.
            covariance: (n, n) covariance of the noise, in the action's units squared; None for no
                noise.
            seed: seed of the noise, together with the episodes' numbers.
        """
        self._actions, self._seed = actions, seed
        self._factor: FloatArray | None = None
        if covariance is not None and np.any(covariance):
            # A factor F with F^T F = covariance, so that z F has it for standard normal z.
            values, vectors = np.linalg.eigh(covariance)
            self._factor = np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T)

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes; their noise follows from their numbers."""
        self._generators = [np.random.default_rng((self._seed, NOISE_STREAM, n)) for n in numbers]

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Ask all experts and add the noise to their actions; see `Driver.step`."""
        label = ask(active)
        action = label
        if self._factor is not None:
            draws = np.array([g.standard_normal(label.shape[1]) for g in self._generators])
            action = self._actions.clipped(label + draws @ self._factor)
        return Step(action, label, active, active)


class MixtureDriver:
    """DAgger's mixture: the expert acts with probability beta, and labels every state."""

    def __init__(self, actor: Actor, beta: float, per: str, seed: int) -> None:
        """Mix expert and policy.

        Args:
            actor: the policy.
            beta: probability that the expert acts, in [0, 1].
            per: unit of the draw, each `step` or a whole `episode`.
            seed: seed of the draws, together with the episodes' numbers.
        """
        self._actor, self._beta, self._per, self._seed = actor, beta, per, seed

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes; their draws follow from their numbers."""
        self._actor.begin(len(numbers))
        self._generators = [np.random.default_rng((self._seed, MIXTURE_STREAM, n)) for n in numbers]
        self._drove = self._drawn()
        self._before = np.zeros(len(numbers), np.bool_)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Ask all experts; execute the expert's or the policy's action. See `Driver.step`."""
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
        """Drive; with `ask` the expert labels every visited state."""
        self._actor, self._ask = actor, ask

    def begin(self, numbers: Sequence[int]) -> None:
        """Begin episodes."""
        self._actor.begin(len(numbers))
        self._nobody = np.zeros(len(numbers), np.bool_)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Execute the policy's action; see `Driver.step`."""
        action = self._actor.act(observations, self._nobody)
        label = ask(active if self._ask else self._nobody)
        return Step(action, label, self._nobody, self._nobody)


class HumanGatedDriver:
    """HG-DAgger with a simulated human, who watches and takes over where the policy deviates.

    The human takes over once |policy - expert| has been above `takeover_deviation` for more than
    `reaction_steps` steps in a row, and drives until it has been below `hand_back_deviation` for
    `hold_steps` steps in a row. Only the human's rows are labels.
    """

    def __init__(
        self,
        actor: Actor,
        actions: ActionLayout,
        gate: GateConfig,
        disagreement: StepMeasure | None,
    ) -> None:
        """Gate a policy.

        Args:
            actor: the policy.
            actions: layout of the action space.
            gate: deviations and numbers of steps for takeover and hand-back.
            disagreement: disagreement of the ensemble, which is recorded and decides nothing; None
                for none.
        """
        self._actor, self._actions, self._gate, self._disagreement = (
            actor,
            actions,
            gate,
            disagreement,
        )

    def begin(self, numbers: Sequence[int]) -> None:
        """The policy drives first."""
        self._actor.begin(len(numbers))
        self._human = np.zeros(len(numbers), np.bool_)
        self._wary = np.zeros(len(numbers), np.int64)
        self._agreeing = np.zeros(len(numbers), np.int64)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Watch, and decide who drives this step; see `Driver.step`."""
        gate = self._gate
        policy = self._actor.act(observations, self._human)
        label = ask(active)
        deviation = self._actions.deviation(policy, label)
        self._wary = np.where(deviation > gate.takeover_deviation, self._wary + 1, 0)
        self._agreeing = np.where(deviation < gate.hand_back_deviation, self._agreeing + 1, 0)
        takes_over = ~self._human & (self._wary > gate.reaction_steps)
        hands_back = self._human & (self._agreeing >= gate.hold_steps)
        self._human = (self._human | takes_over) & ~hands_back
        self._agreeing = np.where(takes_over, 0, self._agreeing)
        drove = self._human & active
        action = np.where(drove[:, None], label, policy)
        disagreement = (
            None if self._disagreement is None else self._disagreement(observations, policy)
        )
        return Step(action, label, drove, drove, disagreement)


class RobotGatedDriver:
    """The policy asks for help where its ensemble disagrees, or (ThriftyDAgger) risk is high.

    The expert is asked only while it drives: nobody watches. The policy continues alone after
    `hold_steps` steps in a row in which neither threshold is exceeded, it agrees with the expert,
    and its risk is at most the median.

    Attributes:
        knows_risk: whether the policy also asks because of risk.
    """

    def __init__(
        self,
        actor: Actor,
        actions: ActionLayout,
        thresholds: Thresholds,
        *,
        disagreement: StepMeasure,
        risk: StepMeasure | None,
        hold_steps: int,
    ) -> None:
        """Gate a policy.

        Args:
            actor: the policy.
            actions: layout of the action space.
            thresholds: disagreement and risk above which the policy asks for help, and the limits
                up to which it continues alone.
            disagreement: disagreement of the ensemble.
            risk: risk of an action; None without a critic.
            hold_steps: number of consecutive steps in agreement before the policy continues alone.
        """
        self._actor, self._actions, self._thresholds = actor, actions, thresholds
        self._disagreement, self._risk, self._hold_steps = disagreement, risk, hold_steps
        self.knows_risk = risk is not None

    def begin(self, numbers: Sequence[int]) -> None:
        """The policy drives first."""
        self._actor.begin(len(numbers))
        self._human = np.zeros(len(numbers), np.bool_)
        self._agreeing = np.zeros(len(numbers), np.int64)

    def step(self, observations: Float32Array, active: BoolArray, ask: Ask) -> Step:
        """Drive this step, then decide whether the policy continues alone; see `Driver.step`."""
        limits = self._thresholds
        policy = self._actor.act(observations, self._human)
        disagreement = self._disagreement(observations, policy)
        risk = (
            np.zeros(len(disagreement)) if self._risk is None else self._risk(observations, policy)
        )
        novel, risky = disagreement > limits.disagreement, risk > limits.risk
        alarm = novel | risky
        asked = np.stack([novel, risky & ~novel], axis=1) & (active & ~self._human)[:, None]
        self._human |= alarm
        drove = self._human & active
        label = ask(drove)
        action = np.where(drove[:, None], label, policy)
        # Where nobody was asked the label is NaN, and no comparison holds.
        agrees = self._actions.error(policy, label) <= limits.discrepancy
        agrees &= ~alarm & (risk <= limits.handback_risk)
        self._agreeing = np.where(agrees & drove, self._agreeing + 1, 0)
        self._human = drove & (self._agreeing < self._hold_steps)
        return Step(action, label, drove, drove, disagreement, asked)
