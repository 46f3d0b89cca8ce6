"""What a round collects: who drives, with which noise, how many episodes, and which labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_learning.core.errors import ConfigurationError
from robot_learning.core.types import FloatArray
from robot_learning.learning.algorithms.dagger import budget_threshold, mixture_beta
from robot_learning.learning.algorithms.dart import error_covariance, scaled_covariance
from robot_learning.learning.imitation.config import ImitationConfig
from robot_learning.learning.imitation.critic import critic_risk, fit_critic
from robot_learning.learning.imitation.data import (
    Episode,
    EpisodeHeader,
    Rows,
    label_count,
)
from robot_learning.learning.imitation.drivers import (
    Driver,
    ExpertDriver,
    HumanGatedDriver,
    MixtureDriver,
    RobotGatedDriver,
)
from robot_learning.learning.imitation.gates import ensemble_disagreement, has_driven, thresholds
from robot_learning.learning.imitation.inference import Actor, make_forward
from robot_learning.learning.imitation.measuring import with_success
from robot_learning.learning.imitation.rollout import EnvironmentPool, simulate
from robot_learning.learning.imitation.unseen import unseen_figures
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.policies.gate import Thresholds
from robot_learning.policies.policy import Policy

COLLECTION_STREAM, FORWARD_STREAM, SUBSET_STREAM, RISK_STREAM = 3, 7, 8, 9
UNSEEN_STREAM = 10


@dataclass(frozen=True)
class Plan:
    """What one round collects.

    Attributes:
        number: number of the round, from 0.
        driver: who drives, and which labels that gives.
        episodes: number of episodes.
        held_out: number of these episodes, the first ones, that are never trained on.
        covariance: (n, n) covariance of the noise, in the action's units squared; None for none.
        beta: share of the expert in DAgger's mixture; None without a mixture.
    """

    number: int
    driver: Driver
    episodes: int
    held_out: int = 0
    covariance: FloatArray | None = None
    beta: float | None = None

    @property
    def noise_trace(self) -> float:
        """Trace of the covariance, in the action's units squared; 0 without noise."""
        return 0.0 if self.covariance is None else float(np.trace(self.covariance))


class Collector:
    """Collects the rounds of a run."""

    def __init__(self, config: ImitationConfig, pool: EnvironmentPool, seeds: Seeds) -> None:
        """Prepare.

        Raises:
            ConfigurationError: the settings do not fit the action space, or an ensemble's
                disagreement.
        """
        self._config, self._pool, self._seeds = config, pool, seeds
        noisy = config.noise.sigma > 0 or config.algorithm == "dart"
        if pool.actions.choices and noisy:
            raise ConfigurationError(
                f"noise: {pool.actions.space} has discrete actions, on which there is no "
                "Gaussian noise; use bc or dagger without it"
            )
        if config.ensemble_members > 1 and config.observation_steps > 1:
            raise ConfigurationError(
                "observation_steps: expected 1, as an ensemble is asked about single observations, "
                f"found {config.observation_steps}; or give gate.members=1 with gate.kind human"
            )

    def actor(self, policy: Policy, number: int) -> Actor:
        """An actor for a policy; its random draws follow from the round."""
        leaves, seed = self._pool.observations.leaves, self._seeds.of(FORWARD_STREAM, number)
        return Actor(policy, make_forward(policy, leaves, self._pool.actions, seed))

    def plan(self, number: int, episodes: Sequence[Episode], policies: Sequence[Policy]) -> Plan:
        """Plan a round.

        Args:
            number: number of the round, from 0.
            episodes: all episodes so far; those of this round are ignored.
            policies: policies of the round before, the one that acts first; empty for round 0.
        """
        config = self._config
        first = config.initial_episodes or config.episodes_per_round
        count = config.episodes_per_round if number else first
        before = [episode for episode in episodes if episode.header.round < number]
        if config.budget_episodes:
            count = min(count, config.budget_episodes - len(before))
        if config.algorithm != "dagger":
            covariance = self._covariance(number, before, policies)
            driver = ExpertDriver(self._pool.actions, covariance, config.seed)
            held_out = 0
            if config.algorithm == "dart":
                held_out = max(1, round(config.noise.held_out_share * count))
            return Plan(number, driver, count, held_out, covariance)
        if number == 0:
            return Plan(number, ExpertDriver(self._pool.actions, None, config.seed), count)
        if config.is_gated:
            return Plan(number, self._gated(number, before, policies), count)
        mixture = config.mixture
        beta = mixture_beta(mixture.schedule, number, mixture.p, mixture.over_rounds)
        actor = self.actor(policies[0], number)
        return Plan(number, MixtureDriver(actor, beta, mixture.per, config.seed), count, beta=beta)

    def collect(self, plan: Plan, episodes: list[Episode], is_whole: Callable[[], None]) -> None:
        """Simulate what is left of the round, and append it to `episodes`.

        Args:
            plan: plan of the round.
            episodes: all episodes so far; those of this round are not simulated again.
            is_whole: callback after each batch of episodes, when everything may be saved.

        Raises:
            ExpertError: the expert failed; the batches before are complete.
        """
        for batch in self._batches(plan, episodes):
            episodes += batch
            is_whole()

    def _batches(self, plan: Plan, found: list[Episode]) -> Iterator[list[Episode]]:
        """Simulate one batch after another, until the round is complete or the budget is spent."""
        config = self._config
        begin = sum(episode.header.round < plan.number for episode in found)
        while len(found) < begin + plan.episodes:
            left: int | None = None
            count = min(self._pool.count, begin + plan.episodes - len(found))
            if config.budget_labels:
                left = config.budget_labels - label_count(found)
                if left <= 0:
                    return
                count = min(count, max(1, round(left / self._labels_of_one(found))))
            numbers = range(len(found), len(found) + count)
            noise = () if plan.covariance is None else plan.covariance.tolist()
            batch = simulate(
                self._pool,
                plan.driver,
                [
                    EpisodeHeader(n, plan.number, n - begin < plan.held_out, noise=noise)
                    for n in numbers
                ],
                [self._seeds.of(COLLECTION_STREAM, n) for n in numbers],
                label_budget=left,
                labels_per_episode=config.rows_per_episode,
            )
            batch = with_success(batch, config.evaluation.success_return)
            yield [self._subset(episode) for episode in batch]

    def _labels_of_one(self, found: Sequence[Episode]) -> float:
        """Expected labels per episode, from the latest episodes or the environment's time limit."""
        latest = [np.count_nonzero(e.labelled) for e in found[-self._pool.count :]]
        if latest:
            return max(1.0, float(np.mean(latest)))
        spec = self._pool.envs[0].spec
        limits = (self._pool.max_steps, getattr(spec, "max_episode_steps", None))
        longest = min((limit for limit in limits if limit), default=1)
        return float(min(longest, self._config.rows_per_episode or longest))

    def _subset(self, episode: Episode) -> Episode:
        """The episode with a random subset of its labels, where fewer are wanted."""
        wanted, labelled = self._config.rows_per_episode, np.flatnonzero(episode.labelled)
        if not wanted or len(labelled) <= wanted:
            return episode
        seed = self._seeds.of(SUBSET_STREAM, episode.header.number)
        kept = np.zeros(episode.rows, np.bool_)
        kept[np.random.default_rng(seed).choice(labelled, wanted, replace=False)] = True
        return replace(episode, labelled=kept)

    def _covariance(
        self, number: int, before: Sequence[Episode], policies: Sequence[Policy]
    ) -> FloatArray | None:
        """(n, n) covariance of this round's noise, in the action's units squared; None for none."""
        noise, actions = self._config.noise, self._pool.actions
        scale = np.outer(actions.scale, actions.scale)
        if self._config.algorithm != "dart" or number == 0:
            return noise.sigma**2 * np.eye(actions.size) * scale if noise.sigma else None
        held_out = [e for e in before if e.header.held_out and e.header.round == number - 1]
        actor = self.actor(policies[0], number)
        chosen = [actor.at_every_row(e.observation) / actions.scale for e in held_out]
        labels = [e.label / actions.scale for e in held_out]
        estimate = error_covariance(np.concatenate(chosen), np.concatenate(labels))
        steps = max(1, round(float(np.mean([e.rows for e in held_out]))))
        scaled = scaled_covariance(estimate, noise.alpha or None, steps, noise.trace_cap or None)
        return np.asarray(scaled * scale)

    def _gated(self, number: int, before: Sequence[Episode], policies: Sequence[Policy]) -> Driver:
        config, actions = self._config, self._pool.actions
        leaves, index = self._pool.observations.leaves, config.first_action_index
        seed = self._seeds.of(FORWARD_STREAM, number)
        members = [make_forward(policy, leaves, actions, seed) for policy in policies]
        disagreement = ensemble_disagreement(members, actions, index) if len(members) > 1 else None
        actor = self.actor(policies[0], number)
        if config.gate.kind == "human" or disagreement is None:
            return HumanGatedDriver(actor, actions, config.gate, disagreement)
        rows, risk = Rows.of(before), None
        assert rows is not None  # noqa: S101 (round 0 collects)
        if config.gate.kind == "thrifty":
            critic = fit_critic(rows, config.fit, actions, self._seeds.of(RISK_STREAM, number))
            risk = None if critic is None else critic_risk(critic, actions)
        chosen = np.concatenate([actor.at_every_row(e.observation) for e in before if e.rows])
        limits = thresholds(
            rows,
            chosen,
            actions,
            disagreement=disagreement,
            risk=risk,
            rate=config.gate.target_rate,
        )
        limits = self._unseen(limits, number, before, policies)
        return RobotGatedDriver(
            actor,
            actions,
            limits,
            disagreement=disagreement,
            risk=risk,
            hold_steps=config.gate.hold_steps,
        )

    def _unseen(
        self, limits: Thresholds, number: int, before: Sequence[Episode], policies: Sequence[Policy]
    ) -> Thresholds:
        """The thresholds, with those replaced that must not come from rows that were trained on."""
        told = [episode for episode in before if episode.labelled.any()]
        if len(told) < 2:
            return limits
        rows = Rows.of(before)
        driven = rows is not None and has_driven(rows)
        # Once the policy has driven enough, the threshold of disagreement comes from its own
        # states.
        count = 1 if driven else len(policies)
        disagreements, discrepancies = unseen_figures(
            told,
            self._config,
            policies[0].spec,
            leaves=self._pool.observations.leaves,
            actions=self._pool.actions,
            seeds=[self._seeds.of(UNSEEN_STREAM, number * count + k) for k in range(count)],
        )
        if len(discrepancies):
            limits = replace(limits, discrepancy=float(np.mean(discrepancies)))
        if driven:
            return limits
        return replace(
            limits, disagreement=budget_threshold(disagreements, self._config.gate.target_rate)
        )
