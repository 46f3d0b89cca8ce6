"""The settings of a run of reinforcement learning, and the figures of its iterations.

Deviations are in *normalised* actions, where a bounded number ranges from -1 to 1 and an unbounded
one is unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from robot_learning.core.decoding import check, decode
from robot_learning.core.errors import ConfigurationError
from robot_learning.core.options.numbers import AtLeast0, AtLeast1, NotNegative, Positive
from robot_learning.learning.reinforcement.distributions import LOG_STD_BOUNDS
from robot_learning.policies.config import to_plain

Algorithm = Literal["reinforce", "ppo"]
Share = Annotated[float, Meta(ge=0, le=1)]
Schedule = Literal["constant", "linear"]


@dataclass(frozen=True, kw_only=True)
class ReinforceConfig:
    """REINFORCE (Williams 1992): the gradient is the mean of Ψ ∇ log π over whole episodes.

    Attributes:
        signal: Ψ of a step. `total` is the return of its whole episode, `to_go` the return from
            that step on.
        baseline: what is subtracted from Ψ: `none`, or a `learned` value of the state. The value is
            fitted to an episode's returns after these were used, so that it never knows the sample
            that it is subtracted from.
        truncated: what an episode that was cut off by a time limit is worth. `bootstrap` adds the
            learned value of the state that it reached, `drop` leaves the episode out, `end` takes
            the limit for the end of the task. None is `bootstrap` with a learned baseline and
            `drop` without. A batch of which all episodes are left out changes nothing.
        episodes: number of whole episodes in a batch.
        normalize: what is done with Ψ in a batch: `none`, or `standardize` to mean 0 and deviation
            1. Subtracting the mean is one more baseline, whose bias falls with the batch's size.
        learning_rate: learning rate of the policy.
        value_learning_rate: learning rate of the baseline.
        value_epochs: number of passes over a batch in which the baseline is fitted.
        entropy_weight: weight of the entropy that is added to the objective.
        gradient_clip: norm to which longer gradients are cut; 0 for no cut.
    """

    signal: Literal["total", "to_go"] = "to_go"
    baseline: Literal["none", "learned"] = "learned"
    truncated: Literal["bootstrap", "drop", "end"] | None = None
    episodes: AtLeast1 = 8
    normalize: Literal["none", "standardize"] = "standardize"
    learning_rate: Positive = 1e-2
    value_learning_rate: Positive = 1e-2
    value_epochs: AtLeast1 = 10
    entropy_weight: NotNegative = 0.0
    gradient_clip: NotNegative = 1.0

    @property
    def truncation(self) -> str:
        """What a truncated episode is worth, the default resolved."""
        default = "bootstrap" if self.baseline == "learned" else "drop"
        return self.truncated or default


@dataclass(frozen=True, kw_only=True)
class PpoConfig:
    """PPO with a clipped surrogate (Schulman et al. 2017, https://arxiv.org/abs/1707.06347).

    Attributes:
        steps: number of steps of each environment between two updates.
        minibatch: number of rows per gradient step.
        epochs: number of passes over these rows.
        learning_rate: learning rate at the beginning.
        learning_rate_schedule: `linear` lets it fall to 0 over the run.
        clip: ε, by which the ratio of probabilities may differ from 1 before its gradient stops.
        clip_schedule: `linear` lets ε fall to 0 over the run.
        decay: λ of the generalised advantages.
        value_weight: weight of ½ (V - R)² in the loss.
        value_clip: bound of a value's change in an update; 0 for no bound.
        entropy_weight: weight of the entropy that is added to the objective.
        gradient_clip: norm to which longer gradients are cut; 0 for no cut.
        target_kl: divergence from the old policy; an update ends before a step at 1.5 times as
            much. 0 for no limit.
        normalize_advantages: rows whose advantages get mean 0 and deviation 1 together: those of a
            `minibatch`, of the whole `batch`, or `none`.
    """

    steps: AtLeast1 = 256
    minibatch: AtLeast1 = 128
    epochs: AtLeast1 = 10
    learning_rate: Positive = 3e-4
    learning_rate_schedule: Schedule = "linear"
    clip: Positive = 0.2
    clip_schedule: Schedule = "constant"
    decay: Share = 0.95
    value_weight: NotNegative = 1.0
    value_clip: NotNegative = 0.0
    entropy_weight: NotNegative = 0.0
    gradient_clip: NotNegative = 0.5
    target_kl: NotNegative = 0.0
    normalize_advantages: Literal["minibatch", "batch", "none"] = "minibatch"


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig:
    """PPO against a reward that was fitted to rankings, and near a policy of demonstrations.

    Attributes:
        reward: folder in which `prefer fit` left a reward, which takes the place of the
            environment's; empty for the environment's own. The policy that is kept is then chosen
            by the learned return, and the true one is only reported.
        uncertainty_penalty: how much less a step is worth where the networks of the reward
            disagree, in their standard deviations.
        ends: what a termination means under a learned reward: `bootstrap` gives it the value of
            the last reward for ever, as rankings of equally long segments say nothing about ends;
            after an `end` nothing is worth anything.
        window: number of iterations in each window of the watch on the learned reward, which ends
            a run (see `reward_watch`); at least 2, 0 for no watch.
        reference: folder of the checkpoint of a policy to stay near to; empty for none.
        target_kl: KL divergence from that policy that is aimed at, in nats per step.
        kl_weight: first weight β of the divergence in the loss, which is adapted to the target.
        smallest_std: smallest standard deviation of that policy's normalised actions; smaller ones
            are raised to it.
    """

    reward: str = ""
    uncertainty_penalty: NotNegative = 0.5
    ends: Literal["bootstrap", "end"] = "bootstrap"
    window: AtLeast0 = 10
    reference: str = ""
    target_kl: Positive = 0.5
    kl_weight: Positive = 1.0
    smallest_std: Positive = 0.1


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How the policy that is kept is chosen and measured; its steps do not count.

    Attributes:
        times: number of evaluations on the way, evenly spread over the steps; the best policy is
            kept.
        episodes: number of greedy episodes in each of these.
        final_episodes: number of greedy episodes, on other seeds, in which the kept policy is
            measured at the end; 0 for none.
    """

    times: AtLeast1 = 10
    episodes: AtLeast1 = 10
    final_episodes: AtLeast0 = 100


@dataclass(frozen=True, kw_only=True)
class ReinforcementConfig:
    """Everything that a run depends on, besides the environment.

    Attributes:
        algorithm: name of the algorithm: `reinforce` or `ppo`.
        seed: seed of everything random.
        steps: number of steps in the environments at which the run ends.
        envs: number of environments beside each other.
        discount: γ.
        hidden: widths of the hidden layers of policy and critic.
        activation: function between the layers.
        log_std: logarithm of the first standard deviation of normalised actions.
        normalize_observations: whether observations are normalised by their running mean and
            deviation, and cut at 10 deviations. The checkpoint carries both.
        scale_rewards: whether rewards are divided by the running deviation of the discounted
            return, and cut at 10. Figures are of the rewards as they are.
        reinforce, ppo, preference, evaluation: nested settings, see their classes.
    """

    algorithm: Algorithm = "ppo"
    seed: AtLeast0 = 0
    steps: AtLeast1 = 300_000
    envs: AtLeast1 = 8
    discount: Share = 0.99
    hidden: tuple[AtLeast1, ...] = (64, 64)
    activation: Literal["relu", "tanh"] = "tanh"
    log_std: float = 0.0
    normalize_observations: bool = True
    scale_rewards: bool = True
    reinforce: ReinforceConfig = field(default_factory=ReinforceConfig)
    ppo: PpoConfig = field(default_factory=PpoConfig)
    preference: PreferenceConfig = field(default_factory=PreferenceConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        check(self)
        for name in ("reinforce", "ppo", "preference", "evaluation"):
            check(getattr(self, name), name)
        low, high = LOG_STD_BOUNDS
        if not low <= self.log_std <= high:
            raise ConfigurationError(
                f"log_std: expected at least {low:g} and at most {high:g}, found {self.log_std:g}"
            )
        if self.algorithm != "ppo" and (self.preference.reward or self.preference.reference):
            raise ConfigurationError(
                "preference.reward and preference.reference: PPO alone learns from a fitted reward "
                "or near a policy; give algorithm=ppo"
            )
        if self.preference.window == 1:
            raise ConfigurationError(
                "preference.window: 1 iteration has no standard error; give at least 2, or 0 for "
                "no watch"
            )
        if self.preference.reward and self.preference.ends == "bootstrap" and self.discount == 1:
            raise ConfigurationError(
                "discount: a reward that goes on for ever has no finite sum at 1; give less than "
                "1, or preference.ends=end"
            )
        is_learned = self.reinforce.baseline == "learned"
        if self.reinforce.truncation == "bootstrap" and not is_learned:
            raise ConfigurationError(
                "reinforce.truncated: `bootstrap` needs the value of a state: give "
                "reinforce.baseline=learned, or truncated=drop or end"
            )

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return to_plain(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ReinforcementConfig:
        """Read what `to_plain` gave.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        return decode(plain, cls)

    def with_values(self, values: Mapping[str, Any]) -> ReinforcementConfig:
        """A copy with other values: nested mappings, or dotted names such as `ppo.clip`.

        Raises:
            RobotLearningError: an unknown name or a value of the wrong type.
        """
        return decode(merged(self.to_plain(), values), type(self))


def merged(plain: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings with other values, given as nested mappings or by dotted names."""
    found = dict(plain)
    for name, value in values.items():
        head, _, rest = name.partition(".")
        given = {rest: value} if rest else value
        inner = found.get(head)
        if isinstance(inner, Mapping) and isinstance(given, Mapping):
            given = merged(inner, given)
        found[head] = given
    return found


@dataclass(frozen=True, kw_only=True)
class IterationResult:
    """The figures of an iteration; counts are cumulative.

    Attributes:
        iteration: number of the iteration, from 1.
        step: number of steps in the environments.
        episodes: number of episodes that have ended.
        return_mean: mean return of the episodes that ended in this iteration; None without any.
        length_mean: mean number of their steps; None without any.
        success: share of them that succeeded; None where the environment does not say.
        entropy: mean entropy of the policy; None where nothing was learned from.
        value_loss: mean of ½ (V - R)², in scaled rewards; None without a critic.
        explained_variance: share of the returns' variance that the critic explains; None without a
            critic, or where all returns are equal.
        kl: divergence from the policy before the update; None for REINFORCE.
        clipped: share of the rows whose ratio was clipped; None for REINFORCE.
        gradient_norm: mean norm of the gradient before it was cut.
        learning_rate: learning rate of the iteration.
        steps_per_s: number of steps per second of the iteration.
        greedy_return: mean return of the evaluation after this iteration; None without one.
        learned_return: mean learned return of the episodes that ended in this iteration; None
            without any, or without a learned reward.
        learned_reward: mean learned reward of a step of this iteration; None without one.
        greedy_learned: mean learned reward of a step of that evaluation, or with `ends=end` its
            mean learned return, by which the kept policy is chosen; None without a learned reward.
        reference_kl: mean divergence from the policy that is stayed near to; None without one.
        kl_weight: weight β of that divergence; None without one.
    """

    iteration: int
    step: int
    episodes: int
    return_mean: float | None = None
    length_mean: float | None = None
    success: float | None = None
    entropy: float | None = None
    value_loss: float | None = None
    explained_variance: float | None = None
    kl: float | None = None
    clipped: float | None = None
    gradient_norm: float = 0.0
    learning_rate: float = 0.0
    steps_per_s: float = 0.0
    greedy_return: float | None = None
    learned_return: float | None = None
    learned_reward: float | None = None
    greedy_learned: float | None = None
    reference_kl: float | None = None
    kl_weight: float | None = None
