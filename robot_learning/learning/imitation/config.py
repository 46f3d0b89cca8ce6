"""The settings of a run of imitation learning, and the figures of each of its rounds.

Deviations and noise are in *scaled* actions, where a bounded dimension ranges from -1 to 1 and an
unbounded one is unchanged, so that one number means the same in every environment. Errors of
policies are in the action's own units, squared, as in the papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Annotated, Any, Literal

from msgspec import Meta

from robot_learning.core.decoding import check
from robot_learning.core.dotted_names import flattened
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, ShareBelow1
from robot_learning.core.options.target_rate import TARGET_RATE
from robot_learning.learning.corrective.config import CorrectiveConfig
from robot_learning.learning.runs.budget import Budget
from robot_learning.learning.training.config import OptimizerConfig
from robot_learning.policies.config import to_plain, with_overrides
from robot_learning.policies.families import family_named, setting_names

Algorithm = Literal["bc", "ccil", "dagger", "dart"]
GateKind = Literal["none", "human", "ensemble", "thrifty"]
Share = Annotated[float, Meta(ge=0, le=1)]
# A single member cannot disagree.
_FEWEST_MEMBERS = 2
_SMALL: Mapping[str, Any] = {"hidden": [64, 64], "error": "l2"}


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """DAgger's mixture pi_i = beta_i pi* + (1 - beta_i) pi; beta_0 is always 1.

    Attributes:
        schedule: beta_i for i >= 1: `none` 0, `linear` max(0, 1 - i / over_rounds),
            `exponential` p^i.
        p: base p of the exponential schedule.
        over_rounds: number of rounds after which the linear schedule reaches 0.
        per: unit for which it is drawn who acts: a whole `episode` or each `step`.
    """

    schedule: Literal["none", "linear", "exponential"] = "none"
    p: Share = 0.5
    over_rounds: AtLeast1 = 5
    per: Literal["episode", "step"] = "step"


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Who decides when the expert drives; with a gate only the rows that it drives are labels.

    Attributes:
        kind: kind of the gate. `none` labels every visited state (Ross et al. 2011); `human`: a
            simulated human watches (HG-DAgger); `ensemble`: the policy asks for help where the
            ensemble disagrees (EnsembleDAgger); `thrifty`: it asks where the ensemble disagrees
            or risk is high (ThriftyDAgger), and by disagreement alone until some episodes have
            succeeded and some have failed.
        takeover_deviation: scaled |policy - expert| above which `human` takes over (0 or 1 for
            discrete actions).
        hand_back_deviation: scaled |policy - expert| below which `human` hands back.
        reaction_steps: number of steps between the deviation and the human's takeover.
        hold_steps: number of consecutive steps in agreement before the expert hands back.
        target_rate: share of the policy's steps in which robot-gated policies ask for help.
        members: number of policies in the ensemble, including the one that acts; with `human`
            their disagreement is only reported. 1 for no ensemble.
    """

    kind: GateKind = "none"
    takeover_deviation: NotNegative = 0.3
    hand_back_deviation: NotNegative = 0.1
    reaction_steps: AtLeast0 = 0
    hold_steps: AtLeast1 = 3
    target_rate: Share = TARGET_RATE
    members: AtLeast1 = 3


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Gaussian noise on the expert while it demonstrates; the label stays its clean action.

    Attributes:
        sigma: standard deviation of each scaled dimension, for `bc` with isotropic noise and for
            DART's first round.
        alpha: DART's expected total squared error over an episode, scaled; 0 takes the measured
            size.
        trace_cap: largest trace of DART's covariance, scaled; 0 for no bound, if alpha is given.
        held_out_share: share of each round's episodes, at least one, on which DART estimates the
            noise. They are never trained on, but count as labels.
    """

    sigma: NotNegative = 0.0
    alpha: NotNegative = 0.0
    trace_cap: NotNegative = 0.1
    held_out_share: ShareBelow1 = 0.2


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a policy is fitted to the labels in each round.

    Attributes:
        steps: number of gradient steps in a round.
        epochs: number of passes over the labels instead of `steps`; 0 for `steps`.
        batch_size: number of rows per gradient step.
        warm_start: whether the weights (and normalisation) of the round before are trained
            further; the optimiser starts afresh.
        optimizer: settings of AdamW and its schedule.
        intervention_weight: weighting of the expert's interventions: `none`, or `equal`, where
            their total weight is that of all other rows (IWR).
        policy_rows: whether a gated run also trains on the policy's own actions, as IWR does;
            these are not counted as labels.
        drop_before_takeover: number of the policy's rows before each takeover that are left out.
    """

    steps: AtLeast1 = 2000
    epochs: NotNegative = 0.0
    batch_size: AtLeast1 = 64
    warm_start: bool = False
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(weight_decay=0.0, gradient_clip=0.0, warmup_steps=0)
    )
    intervention_weight: Literal["none", "equal"] = "none"
    policy_rows: bool = False
    drop_before_takeover: AtLeast0 = 0


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is measured after each round, on separate seeds; it costs no labels.

    Attributes:
        episodes: number of episodes driven by the policy alone, for success, return and
            on-policy error; 0 for none.
        reference_episodes: number of episodes driven by the expert as in collection (with its
            noise) and never trained on, for the off-policy error; 0 for none.
        error: whether the expert is asked in these episodes; errors need it.
        success_return: return from which an episode counts as a success; None leaves it to
            `info`, which says `is_success` or `success`.
        rate_hz: steps per second, to convert steps to the expert's seconds; 0 asks the
            environment.
    """

    episodes: AtLeast0 = 20
    reference_episodes: AtLeast0 = 10
    error: bool = True
    success_return: float | None = None
    rate_hz: NotNegative = 0.0


@dataclass(frozen=True, kw_only=True)
class ImitationConfig:
    """Everything that a run depends on, besides environment and expert.

    Attributes:
        algorithm: name of the algorithm: `bc`, `ccil` (which is `bc` with corrective labels),
            `dagger` (with the gate's kind) or `dart`.
        seed: seed of everything random.
        rounds: largest number of rounds; 0 for as many as the budget allows.
        episodes_per_round: number of episodes collected in a round.
        initial_episodes: number of episodes in round 0, in which the expert drives; 0 for
            `episodes_per_round`.
        budget_labels: number of labels at which the run ends; 0 for no limit.
        budget_episodes: number of episodes at which the run ends; 0 for no limit.
        rows_per_episode: number of labels kept of each episode, chosen at random; only these
            count (DART's protocol: 50). 0 for all.
        max_episode_steps: number of steps after which an episode is truncated; 0 leaves it to
            the environment.
        envs: number of environments in lockstep, with one forward pass for all.
        family: name of the policy family.
        policy: overrides of the family's configuration; a deterministic policy has `hidden`
            [64, 64] and `error` l2 here if nothing else is given.
        observation_steps, action_steps, executed_steps, first_action_index: horizons of the
            policy, with the meaning that they have in `PolicySpec`.
        mixture, gate, noise, fit, evaluation, corrective: nested settings, see their classes.
    """

    algorithm: Algorithm = "dagger"
    seed: AtLeast0 = 0
    rounds: AtLeast0 = 10
    episodes_per_round: AtLeast1 = 5
    initial_episodes: AtLeast0 = 0
    budget_labels: AtLeast0 = 0
    budget_episodes: AtLeast0 = 0
    rows_per_episode: AtLeast0 = 0
    max_episode_steps: AtLeast0 = 0
    envs: AtLeast1 = 8
    family: str = "deterministic"
    policy: Mapping[str, Any] = field(default_factory=dict)
    observation_steps: AtLeast1 = 1
    action_steps: AtLeast1 = 1
    executed_steps: AtLeast1 = 1
    first_action_index: AtLeast0 = 0
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    corrective: CorrectiveConfig = field(default_factory=CorrectiveConfig)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def budget(self) -> Budget:
        """What the run may spend."""
        return Budget(rounds=self.rounds, labels=self.budget_labels, episodes=self.budget_episodes)

    @property
    def policy_overrides(self) -> Mapping[str, Any]:
        """The overrides of the family's configuration, defaults of this module included."""
        return {**_SMALL, **self.policy} if self.family == "deterministic" else self.policy

    @property
    def is_gated(self) -> bool:
        """Whether only the rows that the expert drives are labels."""
        return self.algorithm == "dagger" and self.gate.kind != "none"

    @property
    def ensemble_members(self) -> int:
        """Number of policies that are fitted in a round."""
        return self.gate.members if self.is_gated else 1

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = to_plain(self)
        if self.algorithm != "ccil":
            # Runs of releases without these settings are resumed, too.
            del plain["corrective"]
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ImitationConfig:
        """Read what `to_plain` gave.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        return cls().with_values(plain)

    def with_values(self, values: Mapping[str, Any]) -> ImitationConfig:
        """A copy with a nested mapping of other values; those under `policy` are merged in.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        flat = flattened(values)
        policy = {k.removeprefix("policy."): v for k, v in flat.items() if k.startswith("policy.")}
        others = {k: v for k, v in flat.items() if not k.startswith("policy.")}
        near = setting_names(str(others.get("family", self.family)))
        # At once: whether a policy's options are right depends on its family.
        return with_overrides(self, {"policy": {**self.policy, **policy}, **others}, near)


@dataclass(frozen=True, kw_only=True)
class RoundResult:
    """The figures of one round; counts are cumulative over the rounds so far.

    Attributes:
        round: number of the round, from 0.
        labels: number of the expert's labels, the held-out ones included.
        corrective_labels: number of corrective labels, which nobody was asked for; None where none
            are made.
        episodes: number of episodes collected.
        env_steps: number of steps simulated in the collected episodes.
        expert_s: seconds of the environment's time in which the expert drove or labelled.
        watched_s: seconds of the environment's time in which the expert had to watch; in a
            human-gated run all of it.
        success: share of the evaluation episodes that succeeded; None where it is not known what
            a success is.
        success_low, success_high: bounds of the 95 % Wilson interval of `success`.
        return_mean: mean return of the evaluation episodes; None without any.
        return_low, return_high: bounds of the 95 % interval of `return_mean`.
        on_policy_error: E |policy - expert|^2 over the policy's own states, in the action's units
            squared; the share of wrong choices for discrete actions. None where not measured.
        off_policy_error: E |policy - expert|^2 over states of the expert with the noise of the
            round, in the units of `on_policy_error`; None where not measured.
        intervention_rate: share of this round's rows in which the expert drove; None without a
            gate.
        takeovers: number of takeovers in this round.
        asked_novelty, asked_risk: number of times in this round that the policy asked for help,
            by reason; None where it never asks, or has no critic for risk.
        disagreement_threshold: HG-DAgger's threshold, the ensemble's mean disagreement in the last
            quarter of the takeovers so far; None without an ensemble or takeovers.
        clipped_share: share of the numbers in the expert's actions that lay outside the action
            space.
        beta: share of the expert in DAgger's mixture; None without a mixture.
        noise_trace: trace of the noise's covariance, in the action's units squared.
        training_loss: mean loss over the last tenth of the gradient steps.
        simulate_s, act_s, label_s, train_s, evaluate_s: seconds of this round in the
            environment, in the policy's forward passes, in the expert, in gradient steps, and
            in the evaluation as a whole.
        overhead_s: rest of `wall_s`, in seconds.
        wall_s: wall time of this round, in seconds.
    """

    round: int
    labels: int
    episodes: int
    env_steps: int
    expert_s: float
    watched_s: float
    corrective_labels: int | None = None
    success: float | None = None
    success_low: float | None = None
    success_high: float | None = None
    return_mean: float | None = None
    return_low: float | None = None
    return_high: float | None = None
    on_policy_error: float | None = None
    off_policy_error: float | None = None
    intervention_rate: float | None = None
    takeovers: int = 0
    asked_novelty: int | None = None
    asked_risk: int | None = None
    disagreement_threshold: float | None = None
    clipped_share: float = 0.0
    beta: float | None = None
    noise_trace: float = 0.0
    training_loss: float | None = None
    simulate_s: float = 0.0
    act_s: float = 0.0
    label_s: float = 0.0
    train_s: float = 0.0
    evaluate_s: float = 0.0
    overhead_s: float = 0.0
    wall_s: float = 0.0


def _check(config: ImitationConfig) -> None:
    check(config)
    family = family_named(config.family).config
    with_overrides(family, config.policy_overrides, group="policy.")
    for name in ("mixture", "gate", "noise", "fit", "evaluation"):
        check(getattr(config, name), name)
    gate = config.gate
    if gate.kind not in ("none", "human") and gate.members < _FEWEST_MEMBERS:
        text = f"expected at least {_FEWEST_MEMBERS} with gate.kind {gate.kind}"
        raise ConfigurationError(f"gate.members: {text}, found {gate.members}")
    if not config.budget.is_limited:
        raise ConfigurationError("give a number of rounds, or a budget of labels or episodes")
    if config.algorithm != "dagger" and gate.kind != "none":
        raise ConfigurationError(
            f"gate.kind: '{gate.kind}' belongs to dagger, not {config.algorithm}"
        )
    _check_dart(config)


def _check_dart(config: ImitationConfig) -> None:
    if config.algorithm != "dart":
        return
    if not (config.noise.alpha or config.noise.trace_cap):
        raise ConfigurationError("noise: give alpha or trace_cap; an early estimate may be huge")
    if min(config.episodes_per_round, config.initial_episodes or inf) < 2:
        raise ConfigurationError(
            "dart: a round needs at least 2 episodes, one to train on and one to hold out"
        )
