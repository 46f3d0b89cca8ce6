"""The loop that all algorithms share: collect, aggregate, fit, measure, save; round after round.

    BC           the expert demonstrates, alone or with isotropic noise
    CCIL         as BC, with corrective labels beside the demonstrations that nobody is asked for
    DART         the expert demonstrates with noise estimated from the policy's held-out error
    DAgger       the policy drives (or a mixture), the expert labels every state (Ross et al. 2011)
    HG-DAgger    the policy drives until the human takes over, whose rows are the labels
    robot-gated  the policy drives until it asks for help (EnsembleDAgger, ThriftyDAgger)

Round 0 is the same for all: the expert demonstrates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from robot_learning.core.errors import ConfigurationError
from robot_learning.learning.imitation import state as saved
from robot_learning.learning.imitation.collecting import Collector, Plan
from robot_learning.learning.imitation.config import ImitationConfig, RoundResult
from robot_learning.learning.imitation.corrective_rows import check_spaces, with_corrective
from robot_learning.learning.imitation.counting import round_counts
from robot_learning.learning.imitation.data import Episode, Rows
from robot_learning.learning.imitation.drivers import ExpertDriver, PolicyDriver
from robot_learning.learning.imitation.environment import environment_details
from robot_learning.learning.imitation.expert import ExpertSource
from robot_learning.learning.imitation.fitting import fit, make_samples, new_policy, policy_spec
from robot_learning.learning.imitation.measuring import (
    EVALUATION_STREAM,
    REFERENCE_STREAM,
    executed_error,
    measure,
    outcome_figures,
    reference_error,
    with_success,
)
from robot_learning.learning.imitation.rollout import Clock, Env, EnvironmentPool, env_maker
from robot_learning.learning.runs.run import Phase
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.learning.training.threads import one_thread
from robot_learning.policies.checkpoint import CheckpointDetails
from robot_learning.policies.environment import EnvironmentDetails

FIT_STREAM, CORRECTIVE_STREAM = 6, 11
Tell = Callable[["Progress"], None]


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        round: number of the round under way, from 0.
        phase: phase of that round: collecting, training or measuring; done once the run is.
        results: figures of the finished rounds.
        done, total: number of gradient steps of the dynamics for corrective labels that are made,
            and in all; 0 where none are being made.
    """

    round: int
    phase: Phase
    results: tuple[RoundResult, ...]
    done: int = 0
    total: int = 0


def run_imitation(
    config: ImitationConfig,
    folder: Path | str,
    *,
    env: str | Callable[[], Env],
    expert: str | Callable[..., Any],
    env_kwargs: Mapping[str, Any] | None = None,
    resume: bool = False,
    tell: Tell | None = None,
) -> list[RoundResult]:
    """Run an algorithm until its rounds or its budget are spent.

    A run that was killed at any instant and is resumed ends with the same data, weights and
    figures (except for seconds), bit for bit, as an uninterrupted one.

    Args:
        config: algorithm and settings.
        folder: folder of the run, with `state.json`, `episodes/`, `checkpoints/` and `best/`.
        env: gymnasium id (`module:id` imports a module first), or a function that makes
            environments.
        expert: function (observation, info) -> action, or something that makes such experts; see
            `ExpertSource`. If it has `reset(seed)`, that is called when an episode begins.
        env_kwargs: arguments of the environment with that id; None for none.
        resume: whether the run in the folder is resumed; a new one begins if there is none.
        tell: callback with the progress of the run; None for none.

    Returns:
        The figures of each round; the policy of the best round is in `best/`.

    Raises:
        ExpertError: the expert raised an error or did not return an action; what was collected
            before is saved.
        RobotLearningError: settings, environment, expert and folder do not fit each other.
    """
    place = Path(folder)
    source = ExpertSource(expert)
    arguments = dict(env_kwargs or {})
    name = env if isinstance(env, str) else getattr(env, "__qualname__", type(env).__name__)
    identity = saved.identity_of(config, f"{name} {arguments}", source.name)
    with saved.locked(place), one_thread():
        pool = EnvironmentPool(
            env_maker(env, env_kwargs), source, config.envs, config.max_episode_steps
        )
        try:
            state = saved.begun(place, identity, resume)
            details = environment_details(
                env,
                arguments,
                pool.observations,
                pool.actions,
                max_episode_steps=config.max_episode_steps,
                success_return=config.evaluation.success_return,
            )
            run = _Run(config, place, pool, state, environment=details, tell=tell)
            return run.results()
        finally:
            pool.close()


class _Run:
    def __init__(
        self,
        config: ImitationConfig,
        folder: Path,
        pool: EnvironmentPool,
        state: saved.RunState,
        *,
        environment: EnvironmentDetails,
        tell: Tell | None,
    ) -> None:
        self._config, self._pool, self._tell = config, pool, tell
        self._environment = environment
        self._seeds, self._budget = Seeds(config.seed), config.budget
        rate_hz = rate_of(pool.envs[0], config)
        self._step_s = 1.0 / rate_hz
        self._spec = policy_spec(
            config, pool.observations.leaves, pool.actions, rate_hz, self._joint_names()
        )
        if config.algorithm == "ccil":
            check_spaces(pool.observations.leaves, pool.actions)
        self._collector = Collector(config, pool, self._seeds)
        self._store = saved.Store(folder, state, config.ensemble_members)
        self._episodes = self._store.episodes()
        self._policies = self._store.policies()
        self._references: dict[bytes, list[Episode]] = {}

    def results(self) -> list[RoundResult]:
        try:
            while not self._is_done():
                self._round(len(self._finished))
        finally:
            # Also the complete episodes before an expert failed.
            self._store.save(self._episodes)
        self._say(Phase.DONE)
        return list(self._finished)

    @property
    def _finished(self) -> tuple[RoundResult, ...]:
        return self._store.state.rounds

    def _is_done(self) -> bool:
        if not self._finished:
            return False
        last = self._finished[-1]
        return self._budget.is_spent(
            rounds=len(self._finished), labels=last.labels, episodes=last.episodes
        )

    def _round(self, number: int) -> None:
        begin = time.perf_counter()
        self._pool.clock, self._pool.labeller.seconds = Clock(), 0.0
        self._say(Phase.COLLECTING)
        plan = self._collector.plan(number, self._episodes, self._policies)
        whole = partial(self._store.save_now_and_then, self._episodes)
        self._collector.collect(plan, self._episodes, whole)
        simulated, labelling = replace(self._pool.clock), self._pool.labeller.seconds
        self._say(Phase.TRAINING)
        fitted = time.perf_counter()
        loss, corrective = self._fit(number)
        train_s = time.perf_counter() - fitted
        self._say(Phase.MEASURING)
        measured = time.perf_counter()
        figures = self._figures(plan)
        spent: dict[str, Any] = {
            "simulate_s": simulated.simulate_s,
            "act_s": simulated.act_s,
            "label_s": labelling,
            "train_s": train_s,
            "evaluate_s": time.perf_counter() - measured,
        }
        counts = round_counts(self._config, self._episodes, plan, self._step_s)
        wall = time.perf_counter() - begin
        spent |= {"wall_s": wall, "overhead_s": wall - sum(spent.values())}
        counts["corrective_labels"] = corrective
        result = RoundResult(round=number, training_loss=loss, **counts, **figures, **spent)
        state = self._store.state.begun(result)
        best = max(range(number + 1), key=lambda k: _ranking_key(state.rounds[k]))
        details = self._details(number, counts["labels"])
        self._store.add(replace(state, best=best), self._policies, details)
        self._store.save_now_and_then(self._episodes)

    def _fit(self, number: int) -> tuple[float, int | None]:
        """The loss of the policy that acts, and how many corrective labels it was fitted to."""
        rows = Rows.of(e for e in self._episodes if not e.header.held_out)
        if rows is None:
            raise ConfigurationError("every episode is held out; raise the budget")
        config, leaves = self._config, self._pool.observations.leaves
        corrective: int | None = None
        if config.algorithm == "ccil":
            before = len(rows)
            seed = self._seeds.of(CORRECTIVE_STREAM, number)
            rows = with_corrective(
                rows,
                config.corrective,
                self._pool.actions,
                seed,
                progress=partial(self._say, Phase.TRAINING),
            )
            corrective = len(rows) - before
        samples = make_samples(rows, config)
        policies, losses = [], []
        for member in range(config.ensemble_members):
            seed = self._seeds.of(FIT_STREAM, number * config.ensemble_members + member)
            if config.fit.warm_start and self._policies:
                policy = self._policies[member]
            else:
                policy = new_policy(samples, self._spec, config, leaves, seed)
            losses.append(fit(policy, samples, config.fit, leaves, seed))
            policies.append(policy)
        self._policies = policies
        return losses[0], corrective

    def _figures(self, plan: Plan) -> dict[str, Any]:
        """Figures of the evaluation; runs after the collection's clocks have been read."""
        config, pool = self._config.evaluation, self._pool
        actor = self._collector.actor(self._policies[0], plan.number)
        figures: dict[str, Any] = {}
        if config.episodes:
            driver = PolicyDriver(actor, config.error)
            episodes = measure(pool, driver, config.episodes, self._seeds, EVALUATION_STREAM)
            figures = outcome_figures(with_success(episodes, config.success_return))
            if config.error:
                figures["on_policy_error"] = executed_error(episodes, pool.actions)
        if config.reference_episodes and config.error:
            reference = self._reference(plan)
            figures["off_policy_error"] = reference_error(reference, actor, pool.actions)
        return figures

    def _reference(self, plan: Plan) -> list[Episode]:
        """Episodes of the expert with the round's noise; kept while the noise is the same."""
        noise = b"" if plan.covariance is None else plan.covariance.tobytes()
        if noise not in self._references:
            driver = ExpertDriver(self._pool.actions, plan.covariance, self._config.seed)
            count = self._config.evaluation.reference_episodes
            found = measure(self._pool, driver, count, self._seeds, REFERENCE_STREAM)
            self._references = {noise: found}
        return self._references[noise]

    def _details(self, number: int, labels: int) -> CheckpointDetails:
        env = self._pool.envs[0].unwrapped
        return CheckpointDetails(
            robot=getattr(getattr(env, "profile", None), "name", ""),
            joint_names=self._joint_names(),
            task=getattr(getattr(env, "task", None), "name", ""),
            training={"imitation": self._store.state.identity, "round": number, "labels": labels},
            environment=self._environment,
        )

    def _joint_names(self) -> tuple[str, ...]:
        """Joint names of this package's robots; empty for other environments."""
        profile = getattr(self._pool.envs[0].unwrapped, "profile", None)
        return tuple(getattr(profile, "joint_names", ()))

    def _say(self, phase: Phase, done: int = 0, total: int = 0) -> None:
        if self._tell is not None:
            self._tell(Progress(len(self._finished), phase, self._finished, done, total))


def _ranking_key(result: RoundResult) -> tuple[float, float, float, int]:
    """Key to rank rounds: by success, then return, then small error, then the earliest.

    Without measurements the latest round ranks first.
    """
    lowest = float("-inf")
    if result.return_mean is None:
        return (lowest, lowest, lowest, result.round)
    error = result.on_policy_error
    return (
        lowest if result.success is None else result.success,
        result.return_mean,
        lowest if error is None else -error,
        -result.round,
    )


def rate_of(env: Env, config: ImitationConfig) -> float:
    """Steps per second of an environment's own time; 1 where it is not known."""
    if config.evaluation.rate_hz:
        return config.evaluation.rate_hz
    step_s = getattr(env.unwrapped, "dt", None)
    if isinstance(step_s, int | float) and step_s > 0:
        return 1.0 / float(step_s)
    rate = (env.metadata or {}).get("render_fps")
    return float(rate) if isinstance(rate, int | float) and rate > 0 else 1.0
