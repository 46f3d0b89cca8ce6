"""A served policy answers what its trainer's actor answered."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from robot_learning.core.profile_loader import load_profile
from robot_learning.learning.imitation.spaces import ActionLayout, ObservationLayout
from robot_learning.learning.reinforcement.actor_critic import ActorCritic, Scaling
from robot_learning.learning.reinforcement.checkpoint import make_ordinary_policy
from robot_learning.learning.reinforcement.config import ReinforcementConfig
from robot_learning.learning.reinforcement.loop import run_reinforcement
from robot_learning.learning.reinforcement.moments import Moments
from robot_learning.learning.reinforcement.seed_streams import FINAL
from robot_learning.learning.reinforcement.state import RunState
from robot_learning.learning.runs.seeds import Seeds
from robot_learning.policies.gaussian import GaussianPolicy
from robot_learning.policies.trained_policy import load_policy
from robot_learning.serving.observation_history import Window
from robot_learning.serving.served_policy import ServingSettings, serve_checkpoint
from robot_learning.sim.env import RobotEnv

EAGER = ServingSettings(device="cpu", backend="eager")


def actor_of(space: gymnasium.Space[Any], moments: Moments) -> tuple[ActorCritic, Scaling]:
    actions = ActionLayout(space)
    draw = np.random.default_rng(0)
    networks = ActorCritic.of(
        len(moments.mean), actions, hidden=(16, 16), activation="tanh", log_std=-0.5, rng=draw
    )
    networks.values += 0.3 * draw.normal(size=len(networks.values)).astype(np.float32)
    return networks, Scaling(actions, moments.mean, moments.std)


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_the_policy_is_the_actor_without_noise(env: str) -> None:
    made = gymnasium.make(env)
    layout, actions = ObservationLayout(made.observation_space), ActionLayout(made.action_space)
    moments = Moments(layout.size)
    draw = np.random.default_rng(1)
    moments.add(draw.normal(1.0, 3.0, (50, layout.size)))
    networks, scaling = actor_of(made.action_space, moments)
    policy = make_ordinary_policy(networks, scaling, layout, actions, rate_hz=50.0)
    assert policy.family == ("deterministic" if actions.choices else "gaussian")
    # Also far outside, where observations are cut.
    rows = draw.normal(1.0, 20.0, (200, layout.size)).astype(np.float32)
    answers = policy.predict({"obs/observation": torch.from_numpy(rows)[:, None]}).numpy()
    drawn = networks.distribution.mode(networks.actor.forward(scaling.inputs(rows)))
    ours = scaling.actions(drawn)
    theirs = actions.clipped(answers.reshape(200, -1))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_gaussian_has_the_actors_deviations() -> None:
    space = gymnasium.spaces.Box(-2, 4, (3,), np.float32)
    networks, scaling = actor_of(space, Moments(2))
    networks.log_std[:] = [-5.0, 0.3, 2.0]
    layout = ObservationLayout(gymnasium.spaces.Box(-1, 1, (2,), np.float32))
    policy = make_ordinary_policy(networks, scaling, layout, ActionLayout(space), rate_hz=10.0)
    assert isinstance(policy, GaussianPolicy)
    _, std = policy.distribution({"obs/observation": torch.zeros(1, 1, 2)})
    np.testing.assert_allclose(std.detach().numpy()[0, 0], np.exp(networks.log_std), rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["reinforce", "ppo"])
def test_a_served_policy_earns_what_the_run_says(
    algorithm: str, tmp_path: Path, quick: ReinforcementConfig
) -> None:
    config = quick.with_values({"algorithm": algorithm, "steps": 400})
    state = run_reinforcement(config, tmp_path, env="CartPole-v1")
    assert state.final is not None
    policy = load_policy(tmp_path)
    assert policy.details.environment is not None
    assert policy.details.environment.id == "CartPole-v1"

    env, returns = gymnasium.make("CartPole-v1"), []
    for number in range(config.evaluation.final_episodes):
        observation, _ = env.reset(seed=Seeds(config.seed).of(FINAL, number))
        policy.reset()
        total, done = 0.0, False
        while not done:
            observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
            total, done = total + float(reward), terminated or truncated
        returns.append(total)
    assert np.mean(returns) == pytest.approx(state.final.return_mean)


@pytest.mark.parametrize("actions", ["targets", "increments"])
def test_a_policy_of_joint_targets_names_the_robot_that_it_can_drive(
    actions: str, tmp_path: Path, quick: ReinforcementConfig
) -> None:
    config = quick.with_values({"steps": 60, "evaluation.final_episodes": 0})
    arguments = {"actions": actions, "control_rate_hz": 10.0}
    state = run_reinforcement(config, tmp_path, env="robot_learning/Reach-v0", env_kwargs=arguments)
    policy, profile = load_policy(tmp_path), load_profile("desk_arm")
    names = profile.joint_names if actions == "targets" else ()
    assert actions != "targets" or policy.details.robot == "desk_arm"
    assert policy.spec.action_names == names
    assert policy.details.joint_names == profile.joint_names
    assert policy.spec.rate_hz == 10.0
    if actions == "increments":
        return  # what is served of them, tests/serving/test_served_policy.py says
    served = serve_checkpoint(tmp_path, profile, EAGER)
    env = RobotEnv("desk_arm", "reach", control_rate_hz=10.0)
    observation, _ = env.reset(seed=3)
    seen = {f"obs/{name}": values[None] for name, values in observation.items()}
    (chunk,) = served.client.infer([Window(0, seen)], [None])
    np.testing.assert_allclose(chunk[0], answer(state, env, observation), atol=1e-5)


def answer(state: RunState, env: RobotEnv, observation: dict[str, Any]) -> Any:
    """The action of the actor that a run has kept."""
    layout, actions = ObservationLayout(env.observation_space), ActionLayout(env.action_space)
    networks = ActorCritic.of(
        layout.size,
        actions,
        hidden=(8,),
        activation="tanh",
        log_std=0.0,
        rng=np.random.default_rng(0),
    )
    kept = state.arrays
    networks.values[:] = kept["best_values"]
    scaling = Scaling(actions, kept["best_mean"], kept["best_std"])
    row = np.zeros((1, layout.size), np.float32)
    layout.write_all([observation], row, [0])
    outputs = networks.actor.forward(scaling.inputs(row))
    return scaling.actions(networks.distribution.mode(outputs))[0]
