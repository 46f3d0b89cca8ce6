"""What a run of imitation learning is asked for, and what each of its rounds gives.

Deviations and noise are in *scaled* actions, where a bounded dimension reaches from -1 to 1 and
an unbounded one is as it is, so that one number means the same in every environment. Errors of
policies are in the action's own units, squared, as the papers give them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Annotated, Any, Literal

from msgspec import Meta

from robot_learning.core.decoding import check
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, ShareBelow1
from robot_learning.core.options.target_rate import TARGET_RATE
from robot_learning.learning.training.config import OptimizerConfig
from robot_learning.policies.config import to_plain, with_overrides

Algorithm = Literal["bc", "dagger", "dart"]
Gate = Literal["none", "human", "ensemble", "thrifty"]
Share = Annotated[float, Meta(ge=0, le=1)]
# Fewer cannot disagree.
_FEWEST_MEMBERS = 2
_SMALL: Mapping[str, Any] = {"hidden": [64, 64], "error": "l2"}


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """DAgger's mixture pi_i = beta_i pi* + (1 - beta_i) pi; beta_0 is always 1.

    Attributes:
        schedule: beta_i for i >= 1: `none` 0, `linear` max(0, 1 - i / over_rounds),
            `exponential` p^i.
        p: of the exponential schedule.
        over_rounds: of the linear one.
        per: who acts is drawn for a whole `episode` or for each `step`.
    """

    schedule: Literal["none", "linear", "exponential"] = "none"
    p: Share = 0.5
    over_rounds: AtLeast1 = 5
    per: Literal["episode", "step"] = "step"


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Who decides that the expert drives, where only the rows that it drives are labels.

    Attributes:
        kind: `none` labels every visited state (Ross et al. 2011); `human`: a simulated human
            watches (HG-DAgger); `ensemble`: the policies' disagreement asks for help
            (EnsembleDAgger); `thrifty`: disagreement or risk asks (ThriftyDAgger), and
            disagreement alone until there are episodes that succeeded and such that failed.
        takeover_deviation: `human` takes over where |policy - expert|, scaled, is above this
            (for discrete actions it is 0 or 1).
        hand_back_deviation: and hands back where it stays below this.
        reaction_steps: between the deviation and the takeover.
        hold_steps: so many steps in a row below it before anybody hands back.
        target_rate: share of the policy's steps in which robot-gated policies ask for help.
        members: policies of the ensemble, the one that acts among them; also with `human`,
            where its doubt is only reported. 1 for none.
    """

    kind: Gate = "none"
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
        sigma: standard deviation of each scaled dimension: of `bc` with isotropic noise, and
            of DART's first round.
        alpha: DART's expected total squared error over an episode, scaled; 0 takes the size
            that was measured.
        trace_cap: the largest trace of DART's covariance, scaled; 0 for any, if alpha is given.
        held_out_share: of each round's episodes, at least one: DART estimates on them, and
            nothing is ever trained on them. They count as labels.
    """

    sigma: NotNegative = 0.0
    alpha: NotNegative = 0.0
    trace_cap: NotNegative = 0.1
    held_out_share: ShareBelow1 = 0.2


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a policy is fitted to the labels, once a round.

    Attributes:
        steps: gradient steps a round.
        epochs: over the labels instead, if above 0.
        batch_size: rows a step.
        warm_start: go on with the weights (and normalisation) of the round before; the
            optimiser starts anew.
        optimizer: AdamW.
        intervention_weight: `equal` gives the expert's interventions as much mass in all as
            everything else (IWR).
        policy_rows: of a gated run, train on what the policy did too, as IWR does; these are
            no labels and are not counted as such.
        drop_before_takeover: of those rows, so many before each takeover are left out.
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
    """What is measured after each round, on seeds of its own; it costs no labels.

    Attributes:
        episodes: driven by the policy alone: success, return, on-policy error. 0 for none.
        reference_episodes: driven by the expert as in collection (with its noise) and never
            trained on: off-policy error. 0 for none.
        error: ask the expert in these episodes; without it they give no errors.
        success_return: an episode with at least this return counts as a success; None leaves
            it to `info`, which says `is_success` or `success`.
        rate_hz: steps a second, of expert seconds; 0 asks the environment.
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
        algorithm: `bc`, `dagger` (with the gate's kind) or `dart`.
        seed: of everything random.
        rounds: at most; 0 for as many as the budget allows.
        episodes_per_round: that are collected.
        initial_episodes: in round 0, in which the expert drives; 0 for as many as in others.
        budget_labels: the run ends with this many; 0 for any number.
        budget_episodes: likewise.
        rows_per_episode: a random subset of each episode's labels is kept, and only these
            count (DART's protocol: 50); 0 for all.
        max_episode_steps: longer episodes are truncated; 0 leaves it to the environment.
        envs: environments in lockstep, one forward pass for all.
        family: of the policy.
        policy: overrides of its configuration; a deterministic one has `hidden` [64, 64] and
            `error` l2 here if nothing else is given.
        observation_steps, action_steps, executed_steps, first_action_index: as `PolicySpec`.
        mixture, gate, noise, fit, evaluation: see there.
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

    def __post_init__(self) -> None:
        _check(self)

    @property
    def policy_overrides(self) -> Mapping[str, Any]:
        """What the family's configuration is changed to."""
        return {**_SMALL, **self.policy} if self.family == "deterministic" else self.policy

    @property
    def is_gated(self) -> bool:
        """Whether only the rows that the expert drives are labels."""
        return self.algorithm == "dagger" and self.gate.kind != "none"

    @property
    def ensemble_members(self) -> int:
        """How many policies are fitted in a round."""
        return self.gate.members if self.is_gated else 1

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return to_plain(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ImitationConfig:
        """Read what `to_plain` gave.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        return cls().with_values(plain)

    def with_values(self, values: Mapping[str, Any]) -> ImitationConfig:
        """A copy with a nested mapping of other values; what is under `policy` is merged in.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        flat = _flat(values)
        policy = {k.removeprefix("policy."): v for k, v in flat.items() if k.startswith("policy.")}
        others = {k: v for k, v in flat.items() if not k.startswith("policy.")}
        return with_overrides(replace(self, policy={**self.policy, **policy}), others)


@dataclass(frozen=True, kw_only=True)
class RoundResult:
    """The figures of one round; counts are cumulative over the rounds so far.

    Attributes:
        round: counted from 0.
        labels: of the expert, the held-out ones included.
        episodes: collected.
        env_steps: simulated in them.
        expert_s: seconds of the environment's time in which the expert drove or labelled.
        watched_s: in which it had to watch: all, for a human-gated run.
        success: share of the evaluation episodes, with its Wilson interval; None where
            nothing says what a success is.
        return_mean: of the evaluation episodes, with a 95 % interval of the mean.
        on_policy_error: E over the policy's own states of |policy - expert|^2; for discrete
            actions the share of wrong ones.
        off_policy_error: the same over states of the expert, with the noise of the round.
        intervention_rate: of this round: rows in which the expert drove; None without a gate.
        takeovers: of this round.
        asked_novelty, asked_risk: of this round: how often the policy asked for help, by reason;
            None where it never does, and risk where nothing tells what a risk is.
        doubt_threshold: HG-DAgger's: the ensemble's mean doubt in the last quarter of the
            takeovers so far.
        clipped_share: of the expert's numbers, how many lay outside the action space.
        beta: of DAgger's mixture.
        noise_trace: trace of the noise's covariance, in the action's units squared.
        training_loss: mean over the last tenth of the gradient steps.
        simulate_s, act_s, label_s, train_s, evaluate_s: seconds of this round in the
            environment, in the policy's forward passes, in the expert, in gradient steps, and
            in the evaluation as a whole.
        overhead_s: the rest of `wall_s`.
    """

    round: int
    labels: int
    episodes: int
    env_steps: int
    expert_s: float
    watched_s: float
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
    doubt_threshold: float | None = None
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


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _check(config: ImitationConfig) -> None:
    check(config)
    for name in ("mixture", "gate", "noise", "fit", "evaluation"):
        check(getattr(config, name), name)
    gate = config.gate
    if gate.kind not in ("none", "human") and gate.members < _FEWEST_MEMBERS:
        text = f"expected at least {_FEWEST_MEMBERS} with gate.kind {gate.kind}"
        raise ConfigurationError(f"gate.members: {text}, found {gate.members}")
    if not (config.rounds or config.budget_labels or config.budget_episodes):
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
