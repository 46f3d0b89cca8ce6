"""A run of reinforcement learning: collect, learn, now and then measure, keep the best policy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from robot_learning.core.ensemble_folders import BEST
from robot_learning.learning.imitation.environment import environment_details
from robot_learning.learning.imitation.rollout import Env
from robot_learning.learning.imitation.state import locked
from robot_learning.learning.reinforcement.actor_critic import Scaling
from robot_learning.learning.reinforcement.checkpoint import make_ordinary_policy
from robot_learning.learning.reinforcement.config import IterationResult, ReinforcementConfig
from robot_learning.learning.reinforcement.greedy import final_figures, play_greedily
from robot_learning.learning.reinforcement.judgement import Sources, learned_mean, load_sources
from robot_learning.learning.reinforcement.policy_gradient import Reinforce
from robot_learning.learning.reinforcement.proximal import Ppo
from robot_learning.learning.reinforcement.reward_watch import parting
from robot_learning.learning.reinforcement.seed_streams import CHOOSING, FINAL
from robot_learning.learning.reinforcement.state import RunState, StateFile, begun, identity_of
from robot_learning.learning.reinforcement.stepper import Stepper
from robot_learning.learning.reinforcement.stepping import make_stepper
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.learning.training.logs import RunLog
from robot_learning.learning.training.threads import one_thread
from robot_learning.policies.checkpoint import CheckpointDetails, save_checkpoint
from robot_learning.policies.environment import EnvironmentDetails

_MOST_ENVS = 20
# The policy that is kept: all parameters, and the statistics of the observations that it takes.
_KEPT = ("best_values", "best_mean", "best_std")
COLUMNS = tuple(item.name for item in fields(IterationResult))
Tell = Callable[[IterationResult], None]


def run_reinforcement(
    config: ReinforcementConfig,
    folder: Path | str,
    *,
    env: str | Callable[[], Env],
    env_kwargs: Mapping[str, Any] | None = None,
    resume: bool = False,
    tell: Tell | None = None,
) -> RunState:
    """Run an algorithm until its steps are spent, and measure the best policy.

    A run that was killed at any instant and is resumed ends with the same weights and figures
    (except for seconds), bit for bit, as an uninterrupted one, if the environment's episodes follow
    from their seeds and the actions, and NumPy computes alike: with the same OPENBLAS_NUM_THREADS
    (the command sets it to 1), on the same kind of processor.

    Args:
        config: algorithm and settings.
        folder: folder of the run, with `state.npz`, `metrics.csv`, `tensorboard/` and `best/`.
        env: gymnasium id (`module:id` imports a module first), or a function that makes
            environments.
        env_kwargs: arguments of the environment with that id; None for none.
        resume: whether the run in the folder is resumed; a new one begins if there is none.
        tell: callback with the figures of each iteration; None for none.

    Returns:
        The state at the end; the policy that was kept is the ordinary checkpoint `best/`.

    Raises:
        TrainingError: an observation, a reward or a loss is not finite; the last whole iteration is
            saved.
        RobotLearningError: settings, environment and folder do not fit each other.
    """
    place, arguments = Path(folder), dict(env_kwargs or {})
    name = env if isinstance(env, str) else getattr(env, "__qualname__", type(env).__name__)
    identity = identity_of(config, f"{name} {dict(sorted(arguments.items()))}")
    with ExitStack() as stack:
        stack.enter_context(locked(place))
        stack.enter_context(one_thread())
        stepper = stack.enter_context(closing(make_stepper(env, arguments, config.envs)))
        count = min(_MOST_ENVS, max(config.evaluation.episodes, config.evaluation.final_episodes))
        judge = stack.enter_context(closing(make_stepper(env, arguments, count)))
        stepper.needs_rewards = judge.needs_rewards = not config.preference.reward
        sources = load_sources(config.preference, stepper)
        state = begun(place, {**identity, **sources.digests}, resume)
        details = environment_details(env, arguments, stepper.observations, stepper.actions)
        log = stack.enter_context(closing(RunLog(place, state.step, COLUMNS)))
        run = _Run(
            config,
            place,
            state,
            stepper,
            judge=judge,
            sources=sources,
            environment=details,
            log=log,
            tell=tell,
        )
        return run.run()


class _Run:
    def __init__(
        self,
        config: ReinforcementConfig,
        folder: Path,
        state: RunState,
        stepper: Stepper,
        *,
        judge: Stepper,
        sources: Sources,
        environment: EnvironmentDetails,
        log: RunLog,
        tell: Tell | None,
    ) -> None:
        self._config, self._folder, self._state = config, folder, state
        self._stepper, self._judge, self._environment = stepper, judge, environment
        self._log, self._tell, self._seeds = log, tell, Seeds(config.seed)
        self._file = StateFile(folder)
        self._reward = sources.reward
        self._learner = (
            Reinforce(config, stepper)
            if config.algorithm == "reinforce"
            else Ppo(config, stepper, sources)
        )
        if state.arrays:
            self._learner.restore(state.arrays)

    def run(self) -> RunState:
        try:
            self._state = replace(self._state, stopped="")
            while self._state.step < self._config.steps:
                self._state = replace(self._state, stopped=self._parted())
                if self._state.stopped:
                    break
                self._iterate()
                self._file.save_now_and_then(self._state)
        finally:
            # Only whole iterations are in the state.
            if self._state.arrays:
                self._file.save(self._state)
        if self._state.final is None and self._config.evaluation.final_episodes:
            self._measure()
        return self._state

    def _iterate(self) -> None:
        begin = time.perf_counter()
        learner, state = self._learner, self._state
        number, before = len(state.results) + 1, learner.steps
        figures = learner.iterate(number)
        took = max(time.perf_counter() - begin, 1e-9)
        # Copies, since the next iteration changes them.
        arrays = {name: np.array(value) for name, value in learner.arrays().items()}
        greedy, learned = self._judged(learner.steps)
        result = IterationResult(
            iteration=number,
            step=learner.steps,
            episodes=learner.episodes,
            steps_per_s=(learner.steps - before) / took,
            greedy_return=greedy,
            greedy_learned=learned,
            **figures,
        )
        kept, best = self._kept_before(), (state.best_step, state.best_return)
        reached = greedy if learned is None else learned
        if reached is not None and (state.best_return is None or reached >= state.best_return):
            kept, best = self._kept_now(), (learner.steps, reached)
            self._save_best(learner.steps, greedy, learned)
        # In one step, so that the state is always that of a whole iteration.
        self._state = replace(
            state,
            results=[*state.results, result],
            best_step=best[0],
            best_return=best[1],
            final=None,
            arrays={**arrays, **kept},
        )
        self._write(result)

    def _parted(self) -> str:
        """How the learned reward has parted from the true one; not before a policy is kept."""
        if self._state.best_return is None:
            return ""
        return parting(self._state.results, self._config.preference)

    def _judged(self, steps: int) -> tuple[float | None, float | None]:
        """The mean greedy return, if there is any, and the learned one, where they are due."""
        config, results = self._config, self._state.results
        done = sum((r.greedy_return, r.greedy_learned) != (None, None) for r in results)
        due = config.steps * (done + 1) / config.evaluation.times
        if steps < min(due, config.steps):
            return None, None
        episodes = play_greedily(
            self._learner.networks,
            self._learner.scaling,
            self._judge,
            config.evaluation.episodes,
            lambda number: self._seeds.of(CHOOSING, number),
        )
        learned, mean = None, float(np.mean([episode.total for episode in episodes]))
        greedy = mean if math.isfinite(mean) else None
        if self._reward is not None:
            scaling = self._learner.scaling
            learned = learned_mean(self._reward, config.preference, episodes, scaling)
        return greedy, learned

    def _kept_now(self) -> dict[str, Any]:
        scaling = self._learner.scaling
        values = self._learner.networks.values.copy()
        return dict(zip(_KEPT, (values, scaling.mean, scaling.std), strict=True))

    def _kept_before(self) -> dict[str, Any]:
        arrays = self._state.arrays
        return {name: arrays[name] for name in _KEPT if name in arrays}

    def _save_best(self, step: int, greedy: float | None, learned: float | None) -> None:
        """Save the policy, before the state that says so: whoever resumes saves it again."""
        robot = self._stepper.target_robot
        policy = make_ordinary_policy(
            self._learner.networks,
            self._learner.scaling,
            self._stepper.observations,
            self._stepper.actions,
            rate_hz=self._stepper.rate_hz,
            action_names=robot.joint_names if robot else (),
        )
        training = {
            "reinforcement": self._state.identity,
            "step": step,
            "greedy_return": greedy,
            **({} if learned is None else {"greedy_learned": learned}),
        }
        details = CheckpointDetails(
            robot=robot.name if robot else "",
            joint_names=self._stepper.joint_names,
            task=robot.task if robot else "",
            training=training,
            environment=self._environment,
        )
        save_checkpoint(self._folder / BEST, policy, details)

    def _measure(self) -> None:
        values, mean, std = (self._state.arrays[name] for name in _KEPT)
        is_on = self._config.normalize_observations
        scaling = Scaling(self._stepper.actions, mean, std, is_on)
        networks = self._learner.networks
        with networks.holding(values):
            episodes = play_greedily(
                networks,
                scaling,
                self._judge,
                self._config.evaluation.final_episodes,
                lambda number: self._seeds.of(FINAL, number),
            )
        self._state = replace(self._state, final=final_figures(episodes))
        self._file.save(self._state)

    def _write(self, result: IterationResult) -> None:
        values = {name: value for name, value in asdict(result).items() if value is not None}
        self._log.write(values.pop("step"), values)
        if self._tell is not None:
            self._tell(result)
