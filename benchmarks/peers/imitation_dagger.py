"""One DAgger run of `imitation` on Pendulum-v1, once for each line on stdin: one line of JSON.

Run by an interpreter that has imitation: imitation_dagger.py EXAMPLES ENVS EPISODES ROUNDS EPOCHS

EXAMPLES is the folder of pendulum_expert.py, whose expert labels. Each round collects EPISODES
episodes (beta 1 in the first, 0 afterwards) and trains EPOCHS epochs on all labels, with the
library's own network (two layers of 32), batch (32), files and loader; its additional rollouts
for statistics and its progress bar are switched off.
"""

import json
import sys
import tempfile
import time

import gymnasium
import numpy as np
import torch

torch.set_num_threads(1)
from imitation.algorithms import bc  # noqa: E402
from imitation.algorithms.dagger import LinearBetaSchedule, SimpleDAggerTrainer  # noqa: E402
from imitation.data.wrappers import RolloutInfoWrapper  # noqa: E402
from imitation.policies.base import NonTrainablePolicy  # noqa: E402
from imitation.util import logger  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv  # noqa: E402

sys.path.insert(0, sys.argv[1])
import pendulum_expert  # noqa: E402

ENVS, EPISODES, ROUNDS, EPOCHS = (int(number) for number in sys.argv[2:6])
STEPS = 200


class Expert(NonTrainablePolicy):
    """The expert of the example, one observation at a time."""

    def _choose_action(self, obs):
        return pendulum_expert.expert(obs).astype(np.float32)


def run(seed):
    """A whole run; its seconds, labels, gradient steps, and the share of episodes balanced."""
    venv = DummyVecEnv([lambda: RolloutInfoWrapper(gymnasium.make("Pendulum-v1"))] * ENVS)
    venv.seed(seed)
    rng = np.random.default_rng(seed)
    counts = {"steps": 0, "labels": 0}

    def step_made():
        counts["steps"] += 1

    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        quiet = logger.configure(folder, [])
        trainer = SimpleDAggerTrainer(
            venv=venv,
            scratch_dir=folder,
            expert_policy=Expert(venv.observation_space, venv.action_space),
            rng=rng,
            beta_schedule=LinearBetaSchedule(1),
            bc_trainer=bc.BC(
                observation_space=venv.observation_space,
                action_space=venv.action_space,
                rng=rng,
                batch_size=32,
                custom_logger=quiet,
                device="cpu",
            ),
            custom_logger=quiet,
        )
        trainer.train(
            EPISODES * ROUNDS * STEPS,
            rollout_round_min_episodes=EPISODES,
            rollout_round_min_timesteps=EPISODES * STEPS,
            bc_train_kwargs={
                "n_epochs": EPOCHS,
                "log_rollouts_venv": None,
                "progress_bar": False,
                "on_batch_end": step_made,
            },
        )
        wall_s = time.perf_counter() - begin
        counts["labels"] = sum(len(trajectory) for trajectory in trainer._all_demos)
    return {"wall_s": wall_s, **counts, "success": balanced(trainer.policy)}


def balanced(policy, episodes=20):
    """Share of episodes in which the policy balances, on seeds of their own."""
    env, successes = pendulum_expert.make_env(), 0
    for seed in range(episodes):
        observation, info = env.reset(seed=10_000 + seed)
        done = False
        while not done:
            action, _ = policy.predict(observation, deterministic=True)
            observation, _, terminated, truncated, info = env.step(action)
            done = terminated or truncated
        successes += info["is_success"]
    return successes / episodes


print("ready", torch.__version__, flush=True)
for line in sys.stdin:
    print(json.dumps(run(int(line))), flush=True)
